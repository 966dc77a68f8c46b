// Clips of several sources, drawn by weight.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "mvd/data/clip_source.h"

namespace mvd {

struct WeightedSource {
  std::unique_ptr<ClipSource> source;
  double weight = 1;    // above 0
  bool mirror = false;  // half of its clips, drawn too, are shown left for right
};

// Which source a clip comes from is a function of (seed, clip's number): number n of rank r of `ranks` is
// n * ranks + r. Position: one line with the positions of all sources.
std::unique_ptr<ClipSource> MakeMixedSource(std::vector<WeightedSource> sources, uint64_t seed, int rank,
                                            int ranks);

// Left for right: pixels, motion and flow.
void Mirror(TrainingClip& clip);

}  // namespace mvd
