#include "mvd/data/motion_latents.h"

#include <algorithm>
#include <cmath>

#include "mvd/base/error.h"

namespace mvd {
namespace {

// One cell in the units of latents.
void PutCell(const float* cell, double travel, float* out) {
  const double x = cell[0] / travel, y = cell[1] / travel, length = std::hypot(x, y);
  const double scale = std::min(1.0, kMostMotion / std::max(length, 1e-9));
  out[0] = float(x * scale), out[1] = float(y * scale), out[2] = 2 * cell[2] - 1;
}

}  // namespace

std::vector<float> MotionLatents(const TrainingClip& clip, int64_t factor) {
  const int64_t rows = (clip.height + kMotionCell - 1) / kMotionCell,
                columns = (clip.width + kMotionCell - 1) / kMotionCell;
  if (clip.frames < 2 || int64_t(clip.motion.size()) != clip.frames * rows * columns * kMotionValues)
    ThrowBadInput(clip.name,
                  "holds no motion, expected a procedural clip, or shards that 'data prepare' made");
  const int64_t h = (clip.height + factor - 1) / factor, w = (clip.width + factor - 1) / factor;
  const int64_t across = factor / kMotionCell, channels = MotionChannels(factor);
  std::vector<float> latents(size_t(clip.frames * h * w * channels));
  for (int64_t t = 0; t < clip.frames; ++t) {
    const int64_t shown = std::max<int64_t>(t, 1);
    const double travel = MotionTravel(clip.motion_bucket_id, shown);
    for (int64_t y = 0; y < h * across; ++y) {
      for (int64_t x = 0; x < w * across; ++x) {
        const int64_t row = std::min(y, rows - 1), column = std::min(x, columns - 1);
        const int64_t pixel = (t * h + y / across) * w + x / across, cell = y % across * across + x % across;
        PutCell(&clip.motion[size_t(((shown * rows + row) * columns + column) * kMotionValues)], travel,
                &latents[size_t(pixel * channels + cell * kMotionValues)]);
      }
    }
  }
  return latents;
}

}  // namespace mvd
