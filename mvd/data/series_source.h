// Made-up clips one after another, each a function of its number, rendered ahead by threads where asked for.
#pragma once

#include <functional>
#include <memory>

#include "mvd/data/clip_source.h"
#include "mvd/data/series.h"

namespace mvd {

// How far ahead of the asking clips are made, and by how many threads; the clips and their order are the
// same.
struct ReadAhead {
  int workers = 0;    // 0: a clip is made when it is asked for
  int64_t clips = 0;  // made and not yet asked for, at most; at least as many as there are workers
};

// Clip n of the series is render(n), which is called by several threads at once where there are workers. What
// it throws comes out of Next().
std::unique_ptr<ClipSource> MakeSeriesSource(Series series, std::function<TrainingClip(uint64_t)> render,
                                             const ReadAhead& ahead);

}  // namespace mvd
