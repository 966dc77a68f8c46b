#include "mvd/evaluate/baselines.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <vector>

namespace mvd {
namespace {

// The real clip's frames in another order; one may come several times.
FloatClip Ordered(const FloatClip& real, const std::vector<int64_t>& order) {
  FloatClip clip = real;
  clip.rgb.clear();
  for (const int64_t t : order) clip.rgb.insert(clip.rgb.end(), real.Frame(t).begin(), real.Frame(t).end());
  return clip;
}

FloatClip Still(const FloatClip& real, double, uint64_t) {
  return Ordered(real, std::vector<int64_t>(size_t(real.frames), 0));
}

FloatClip Backwards(const FloatClip& real, double, uint64_t) { return Reversed(real); }

// Any order of the frames: what a measure of clips that listens to time must hear.
FloatClip Shuffled(const FloatClip& real, double, uint64_t seed) {
  std::vector<int64_t> order(size_t(real.frames));
  std::iota(order.begin(), order.end(), 0);
  std::mt19937 random{uint32_t(seed)};
  for (size_t i = order.size() - 1; i > 0; --i) std::swap(order[i], order[random() % (i + 1)]);
  return Ordered(real, order);
}

FloatClip Noise(const FloatClip& real, double, uint64_t seed) {
  FloatClip noise = real;
  std::mt19937 random{uint32_t(seed)};
  for (float& value : noise.rgb) value = float(random() >> 8) * 0x1p-24f;
  return noise;
}

// Noise of 2 percent on every pixel of every frame.
FloatClip Grain(const FloatClip& real, double, uint64_t seed) {
  constexpr float kShare = 0.02f;
  FloatClip clip = real;
  std::mt19937 random{uint32_t(seed)};
  std::normal_distribution<float> normal(0, kShare);
  for (float& value : clip.rgb) value = std::clamp(value + normal(random), 0.0f, 1.0f);
  return clip;
}

// What latents that alternate from one to the next leave in a picture: squares of 16 pixels, lighter and
// darker by 2 percent.
FloatClip Checkered(const FloatClip& real, double, uint64_t) {
  constexpr int64_t kSquare = 16;
  constexpr float kShare = 0.02f;
  FloatClip clip = real;
  for (size_t i = 0; i < clip.rgb.size(); ++i) {
    const int64_t pixel = int64_t(i) / 3, x = pixel % clip.width, y = pixel / clip.width % clip.height;
    const float sign = (x / kSquare + y / kSquare) % 2 == 0 ? 1 : -1;
    clip.rgb[i] = std::clamp(clip.rgb[i] + sign * kShare, 0.0f, 1.0f);
  }
  return clip;
}

// A Gaussian of one pixel, seven taps, along one axis of the frames.
std::vector<float> BlurredAlong(const FloatClip& clip, const std::vector<float>& rgb, bool rows) {
  constexpr int kRadius = 3;
  float taps[kRadius + 1], sum = 0;
  for (int i = 0; i <= kRadius; ++i)
    taps[i] = std::exp(-0.5f * float(i * i)), sum += (i == 0 ? 1 : 2) * taps[i];
  std::vector<float> blurred(rgb.size());
  const int64_t size = rows ? clip.height : clip.width, step = rows ? clip.width * 3 : 3;
  for (size_t i = 0; i < rgb.size(); ++i) {
    const int64_t at = int64_t(i) / step % size;
    float value = 0;
    for (int k = -kRadius; k <= kRadius; ++k) {
      const int64_t other = std::clamp<int64_t>(at + k, 0, size - 1);
      value += taps[std::abs(k)] / sum * rgb[size_t(int64_t(i) + (other - at) * step)];
    }
    blurred[i] = value;
  }
  return blurred;
}

FloatClip Blurred(const FloatClip& real, double, uint64_t) {
  FloatClip clip = real;
  clip.rgb = BlurredAlong(clip, BlurredAlong(clip, real.rgb, false), true);
  return clip;
}

// The camera goes into the first frame, as fast as the real clip moves: what anybody gets without a model.
FloatClip Zoomed(const FloatClip& real, double motion, uint64_t) {
  const double middle_x = double(real.width - 1) / 2, middle_y = double(real.height - 1) / 2;
  double lever = 0;  // mean distance from the middle
  for (int64_t y = 0; y < real.height; ++y)
    for (int64_t x = 0; x < real.width; ++x) lever += std::hypot(double(x) - middle_x, double(y) - middle_y);
  lever /= double(real.height * real.width);
  FloatClip clip = real;
  for (int64_t t = 0; t < real.frames; ++t) {
    const double zoom = 1 + motion / lever * double(t);
    for (int64_t y = 0; y < real.height; ++y) {
      for (int64_t x = 0; x < real.width; ++x) {
        const double from_x = middle_x + (double(x) - middle_x) / zoom,
                     from_y = middle_y + (double(y) - middle_y) / zoom;
        float* out = &clip.rgb[size_t(((t * real.height + y) * real.width + x) * 3)];
        for (int64_t c = 0; c < 3; ++c)
          out[c] = ReadBilinear(real.Frame(0), real.height, real.width, 3, from_x, from_y, c);
      }
    }
  }
  return clip;
}

constexpr Baseline kBaselines[] = {
    {"still", "the first frame, repeated", true, Still},
    {"zoomed", "the camera goes into the first frame as fast as the real clip moves", true, Zoomed},
    {"noise", "uniform noise", true, Noise},
    {"reversed", "the real clip backwards", false, Backwards},
    {"shuffled", "the real clip's frames in any order", false, Shuffled},
    {"blurred", "the real clip, blurred by one pixel", false, Blurred},
    {"grain", "the real clip with 2 % of noise", false, Grain},
    {"checkered", "the real clip with squares of 16 pixels, lighter and darker by 2 %", false, Checkered},
};

}  // namespace

std::span<const Baseline> Baselines() { return kBaselines; }

}  // namespace mvd
