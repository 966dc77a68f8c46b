#include "mvd/data/shard_source.h"

#include <algorithm>
#include <numeric>
#include <set>
#include <sstream>

#include "mvd/base/error.h"
#include "mvd/base/rng.h"
#include "mvd/data/shard_index.h"

namespace mvd {
namespace {

constexpr char kWord[] = "shards-1";

// Fisher and Yates' shuffle with a counter-based generator: the same order wherever it is drawn.
std::vector<uint32_t> Permutation(size_t count, uint64_t seed, uint64_t epoch) {
  std::vector<uint32_t> order(count);
  std::iota(order.begin(), order.end(), 0u);
  for (size_t i = count; i > 1; --i) {
    const auto draw = Philox4x32({uint32_t(i), uint32_t(i >> 32), uint32_t(epoch), uint32_t(epoch >> 32)},
                                 {uint32_t(seed), uint32_t(seed >> 32)});
    const uint64_t wide = uint64_t(draw[1]) << 32 | draw[0];
    // The bias of a remainder of 64 bits is below count / 2^64.
    std::swap(order[i - 1], order[wide % i]);
  }
  return order;
}

class ShardSource : public ClipSource {
 public:
  explicit ShardSource(ShardOptions options) : options_(std::move(options)) {
    MVD_CHECK(options_.ranks >= 1 && options_.rank >= 0 && options_.rank < options_.ranks);
    index_ = ReadShardIndex(options_.folder, options_.on_skip);
    skipped_ = index_.skipped;
    const uint64_t picture = uint64_t(index_.info.height) * uint64_t(index_.info.width) * 3;
    std::erase_if(index_.samples, [&](const ShardSample& sample) {
      const bool is_picture = sample.pixels_size == picture;
      return (options_.entries == ShardEntries::kClips && is_picture) ||
             (options_.entries == ShardEntries::kPictures && !is_picture);
    });
    if (index_.samples.empty())
      ThrowBadInput(options_.folder.string(), "holds no ",
                    options_.entries == ShardEntries::kPictures ? "picture" : "clip", " that can be read");
  }

  TrainingClip Next() override {
    const uint64_t count = index_.samples.size(), ranks = uint64_t(options_.ranks);
    const uint64_t rounds = (count + ranks - 1) / ranks;  // calls of Next in an epoch, on every rank
    Shuffle(taken_ / rounds);
    const uint64_t place = taken_ % rounds * ranks + uint64_t(options_.rank);
    ++taken_;
    for (uint64_t step = 0; step < count; ++step) {
      const uint32_t sample = order_[(place + step) % count];
      if (bad_.contains(sample)) continue;
      try {
        CheckShard(index_.samples[sample].shard);
        if (bad_.contains(sample)) continue;
        return ReadShardSample(index_, index_.samples[sample], options_.hash_bytes);
      } catch (const Error& error) {
        bad_.insert(sample);
        ++skipped_;
        Report(error.what());
      }
    }
    ThrowBadInput(options_.folder.string(), "none of its ", count, " clips can be read");
  }

  std::string Position() const override {
    return StrCat(kWord, " ", index_.identity, " ", index_.samples.size(), " ", options_.seed, " ",
                  options_.ranks, " ", taken_);
  }

  void Seek(const std::string& position) override {
    std::istringstream in(position);
    std::string word, identity, rest;
    uint64_t samples = 0, seed = 0, taken = 0;
    int ranks = 0;
    const std::string folder = options_.folder.string();
    if (!(in >> word >> identity >> samples >> seed >> ranks >> taken) || word != kWord || in >> rest)
      ThrowBadInput(folder, "the stored position '", position, "' is not one of a folder of shards");
    if (identity != index_.identity || samples != index_.samples.size())
      ThrowBadInput(folder, "the stored position is of other shards: ", identity, " with ", samples,
                    " samples, here ", index_.identity, " with ", index_.samples.size());
    if (seed != options_.seed)
      ThrowBadInput(folder, "the stored position is of data seed ", seed, ", here ", options_.seed);
    if (ranks != options_.ranks)
      ThrowBadInput(folder, "the stored position is of ", ranks, " ranks, here ", options_.ranks);
    taken_ = taken;
  }

  int64_t Skipped() const override { return skipped_; }

 private:
  void Report(const std::string& line) const {
    if (options_.on_skip) options_.on_skip(line);
  }

  // Holds a shard against its hash, once; all samples of a damaged one are bad.
  void CheckShard(uint32_t shard) {
    if (!options_.hash_file || !checked_.insert(shard).second) return;
    const ShardFile& file = index_.shards[shard];
    const std::string found = options_.hash_file(file.path);
    if (found == file.xxh128) return;
    int64_t lost = 0;
    for (uint32_t i = 0; i < index_.samples.size(); ++i) {
      if (index_.samples[i].shard == shard) lost += bad_.insert(i).second;
    }
    skipped_ += lost;
    Report(StrCat(file.path.string(), ": is damaged: xxh128 ", found, ", ", kShardsFile, " says ",
                  file.xxh128, "; its ", lost, " clips are skipped"));
  }

  void Shuffle(uint64_t epoch) {
    if (!order_.empty() && epoch == epoch_) return;
    order_ = Permutation(index_.samples.size(), options_.seed, epoch);
    epoch_ = epoch;
  }

  ShardOptions options_;
  ShardIndex index_;
  uint64_t taken_ = 0;  // calls of Next so far
  uint64_t epoch_ = 0;
  std::vector<uint32_t> order_;       // of epoch_; empty before the first call
  std::set<uint32_t> bad_, checked_;  // samples, shards
  int64_t skipped_ = 0;
};

}  // namespace

std::unique_ptr<ClipSource> MakeShardSource(ShardOptions options) {
  return std::make_unique<ShardSource>(std::move(options));
}

}  // namespace mvd
