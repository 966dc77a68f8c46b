// From optical flow to SVD's conditioning number: one formula for every source of clips.
#pragma once

#include <cmath>
#include <cstdint>

namespace mvd {

// The mean flow from a frame to the next, as a part of the frame's diagonal, at which the bucket stands at
// its middle: 0.3 percent, which is 0.86 pixels at 256x128 and 3.5 at 1024x576.
inline constexpr double kMiddleMotion = 0.003;

// motion_bucket_id = 255 r / (r + kMiddleMotion), r = mean |flow| in pixels between neighbouring frames of
// the clip (so at its fps) / diagonal in pixels. 0 for a still clip, rising, below 255.
inline double MotionBucket(double mean_flow, int64_t height, int64_t width) {
  const double r = mean_flow / std::sqrt(double(height * height + width * width));
  return 255 * r / (r + kMiddleMotion);
}

}  // namespace mvd
