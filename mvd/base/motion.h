// How much a clip moves, in SVD's conditioning number and in latents: one formula for every source of clips
// and every reader of them.
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

// Its inverse: the mean flow per frame, in diagonals, that a bucket asks for. Buckets are clamped to 4 to
// 250, so that the result is neither 0 nor without end.
inline double MotionPerFrame(double motion_bucket_id) {
  const double bucket = std::fmin(std::fmax(motion_bucket_id, 4.0), 250.0);
  return kMiddleMotion * bucket / (255 - bucket);
}

// Motion as latents: the way of each cell of a frame from its place in the first frame, in units of what the
// clip's bucket asks for, so that slow and fast clips look alike to a network.

inline constexpr int64_t kMotionCell = 8;  // pixels along a cell
inline constexpr int64_t kMotionValues =
    3;  // of a cell: x, y, and +1 for visible in the first frame, -1 for not

// Channels of motion latents at `factor` pixels per latent: a latent pixel's cells row by row, and the values
// of each.
inline constexpr int64_t MotionChannels(int64_t factor) {
  return factor / kMotionCell * (factor / kMotionCell) * kMotionValues;
}

// The way, in diagonals, that a motion of 1 has covered by frame t: t times the motion per frame that the
// bucket asks for. So the first frame is where it is, whatever its latents say.
inline double MotionTravel(double motion_bucket_id, int64_t frame) {
  return double(frame) * MotionPerFrame(motion_bucket_id);
}

}  // namespace mvd
