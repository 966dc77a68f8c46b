// What one clip is like.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace mvd {

// Frames (T,H,W,3) in [0,1].
struct FloatClip {
  int64_t frames = 0, height = 0, width = 0;
  std::vector<float> rgb;

  std::span<const float> Frame(int64_t t) const {
    return {rgb.data() + t * height * width * 3, size_t(height * width * 3)};
  }
};

// dB, of values in [0,1]; infinity where they are equal.
double Psnr(std::span<const float> a, std::span<const float> b);

// Mean absolute second difference in time of 8x8 blocks' means, in levels of 255. Smooth motion hardly bends
// the brightness of a block, flicker does; a still clip has 0. 0 with fewer than three frames.
double Flicker(const FloatClip& clip);

// VBench's temporal flickering (arXiv 2311.17982), in percent: 100 less the mean absolute difference of
// neighbouring frames; a still clip has 100, as one with a single frame.
double TemporalFlickering(const FloatClip& clip);

// The frames in the opposite order.
FloatClip Reversed(const FloatClip& clip);

// Channel `c` of `values` (H,W,channels) at (x, y), read bilinearly, pixel centres at whole numbers; outside,
// the nearest border's.
float ReadBilinear(std::span<const float> values, int64_t height, int64_t width, int64_t channels, double x,
                   double y, int64_t c);

}  // namespace mvd
