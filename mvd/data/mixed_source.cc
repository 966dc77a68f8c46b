#include "mvd/data/mixed_source.h"

#include <algorithm>
#include <charconv>

#include "mvd/base/error.h"
#include "mvd/base/motion.h"
#include "mvd/base/rng.h"

namespace mvd {
namespace {

constexpr char kBetween[] = " | ";

// Rows of `columns` items of `size` values, each row turned round.
template <class T>
void TurnRows(std::vector<T>& values, int64_t columns, int64_t size) {
  for (size_t row = 0; row + size_t(columns * size) <= values.size(); row += size_t(columns * size)) {
    for (int64_t x = 0; x < columns / 2; ++x) {
      const auto left = values.begin() + ptrdiff_t(row) + x * size;
      std::swap_ranges(left, left + size, values.begin() + ptrdiff_t(row) + (columns - 1 - x) * size);
    }
  }
}

void Negate(std::vector<float>& values, size_t step) {
  for (size_t i = 0; i < values.size(); i += step) values[i] = -values[i];
}

class MixedSource : public ClipSource {
 public:
  MixedSource(std::vector<WeightedSource> sources, uint64_t seed, int rank, int ranks)
      : sources_(std::move(sources)), seed_(seed), rank_(uint64_t(rank)), ranks_(uint64_t(ranks)) {
    MVD_CHECK(!sources_.empty() && rank >= 0 && rank < ranks);
    for (const WeightedSource& source : sources_) {
      MVD_CHECK(source.weight > 0, source.weight);
      total_ += source.weight;
    }
  }

  TrainingClip Next() override {
    const uint64_t number = taken_++ * ranks_ + rank_;
    const auto draw = Philox4x32({uint32_t(number), uint32_t(number >> 32), 0x6d6978u, 0},
                                 {uint32_t(seed_), uint32_t(seed_ >> 32)});
    double place = double(draw[0]) / 4294967296.0 * total_;
    size_t i = 0;
    while (i + 1 < sources_.size() && place >= sources_[i].weight) place -= sources_[i++].weight;
    TrainingClip clip = sources_[i].source->Next();
    if (sources_[i].mirror && draw[1] % 2 == 1) Mirror(clip);
    return clip;
  }

  std::string Position() const override {
    std::string position = StrCat("mix:", seed_, ":", ranks_, ":", taken_);
    for (const WeightedSource& source : sources_) position += kBetween + source.source->Position();
    return position;
  }

  void Seek(const std::string& position) override {
    std::vector<std::string> parts;
    for (size_t at = 0; at <= position.size();) {
      const size_t end = std::min(position.find(kBetween, at), position.size());
      parts.push_back(position.substr(at, end - at));
      at = end + sizeof(kBetween) - 1;
    }
    const std::string mine = StrCat("mix:", seed_, ":", ranks_, ":");
    const std::string& head = parts.front();
    uint64_t taken = 0;
    const bool read = head.starts_with(mine) &&
                      std::from_chars(head.data() + mine.size(), head.data() + head.size(), taken).ptr ==
                          head.data() + head.size();
    if (!read || parts.size() != sources_.size() + 1)
      ThrowBadInput("", "the stored position '", position, "' is not one of ", sources_.size(),
                    " sources that are mixed with seed ", seed_, " for ", ranks_, " ranks");
    for (size_t i = 0; i < sources_.size(); ++i) sources_[i].source->Seek(parts[i + 1]);
    taken_ = taken;
  }

  int64_t Skipped() const override {
    int64_t skipped = 0;
    for (const WeightedSource& source : sources_) skipped += source.source->Skipped();
    return skipped;
  }

 private:
  std::vector<WeightedSource> sources_;
  uint64_t seed_, rank_, ranks_, taken_ = 0;
  double total_ = 0;
};

}  // namespace

void Mirror(TrainingClip& clip) {
  TurnRows(clip.pixels, clip.width, 3);
  TurnRows(clip.motion, (clip.width + kMotionCell - 1) / kMotionCell, kMotionValues);
  Negate(clip.motion, size_t(kMotionValues));
  TurnRows(clip.cell_flow, kFlowColumns, 2);
  Negate(clip.cell_flow, 2);
}

std::unique_ptr<ClipSource> MakeMixedSource(std::vector<WeightedSource> sources, uint64_t seed, int rank,
                                            int ranks) {
  return std::make_unique<MixedSource>(std::move(sources), seed, rank, ranks);
}

}  // namespace mvd
