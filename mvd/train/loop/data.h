// The clips that a run trains on and those that it is evaluated on, from [data].
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "mvd/data/clip_source.h"
#include "mvd/train/run_config.h"

namespace mvd {

// This rank's part of the training clips. `note` gets a line for every shard and clip that is skipped.
// Workers keep `ahead` clips ready. Error(kBadInput) where the shards' clips have another shape than [data]
// says.
std::unique_ptr<ClipSource> MakeClipSource(const DataSection& data, uint64_t seed, int rank, int world,
                                           int64_t ahead,
                                           const std::function<void(const std::string&)>& note);

// The first `count` clips of the held-out part, the same in every run of one [data]: heldout's shards, or the
// procedural source under a seed that no run trains with.
std::vector<TrainingClip> HeldOutClips(const DataSection& data, uint64_t seed, int64_t count);

}  // namespace mvd
