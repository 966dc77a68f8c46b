#include "mvd/data/series.h"

#include <charconv>

#include "mvd/base/error.h"

namespace mvd {

Series::Series(std::string kind, uint64_t seed, int64_t rank, int64_t ranks)
    : prefix_(StrCat(kind, ":", seed, ":", rank, "/", ranks, ":")),
      rank_(uint64_t(rank)),
      ranks_(uint64_t(ranks)),
      next_(rank_) {}

std::string Series::Position() const { return StrCat(prefix_, next_); }

void Series::Seek(const std::string& position) {
  uint64_t next = 0;
  const char* const end = position.data() + position.size();
  const bool ours = position.starts_with(prefix_);
  const auto read = std::from_chars(position.data() + (ours ? prefix_.size() : 0), end, next);
  if (!ours || read.ec != std::errc() || read.ptr != end || next % ranks_ != rank_)
    ThrowBadInput("", "position '", position, "' is not of this source, expected ", prefix_,
                  "N with N = ", rank_, " modulo ", ranks_);
  next_ = next;
}

}  // namespace mvd
