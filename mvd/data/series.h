// The place in an endless series of made-up clips, of which each rank takes every RANKS-th.
#pragma once

#include <cstdint>
#include <string>

namespace mvd {

class Series {
 public:
  // `kind` begins the position's text: "KIND:SEED:RANK/RANKS:NEXT".
  Series(std::string kind, uint64_t seed, int64_t rank, int64_t ranks);

  uint64_t next() const { return next_; }
  void Advance() { next_ += ranks_; }
  std::string Position() const;
  // Throws Error(kBadInput) where the position is not of this series, rank and number of ranks.
  void Seek(const std::string& position);

 private:
  std::string prefix_;
  uint64_t rank_, ranks_, next_;
};

}  // namespace mvd
