// A clip's motion as latents (mvd/base/motion.h).
#pragma once

#include <cstdint>
#include <vector>

#include "mvd/base/motion.h"
#include "mvd/data/clip_source.h"

namespace mvd {

// (T,h,w,MotionChannels(factor)), h and w the clip's sides over `factor`, rounded up; cells beyond the frame
// repeat its last ones. Ways longer than kMostMotion units are shortened to that. The first frame takes the
// second one's motion: its own is 0 over 0. Error(kBadInput) where the clip's motion is not known.
std::vector<float> MotionLatents(const TrainingClip& clip, int64_t factor);

inline constexpr double kMostMotion = 4;

}  // namespace mvd
