// Which clips a run trains on and which it is judged by, from [data].
#pragma once

#include <memory>
#include <vector>

#include "mvd/data/clip_source.h"
#include "mvd/train/run_config.h"

namespace mvd {

// This rank's part of the training clips.
std::unique_ptr<ClipSource> MakeClipSource(const DataSection& data, uint64_t seed, int rank, int world);

// The first `count` clips of the held-out part, the same in every run of one [data]: heldout's shards, or the
// procedural source under a seed that no run trains with.
std::vector<TrainingClip> HeldOutClips(const DataSection& data, uint64_t seed, int64_t count);

}  // namespace mvd
