// Pillow's Lanczos resize: weights in double, rounded to 22-bit fixed point, two passes over 8-bit pixels.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "mvd/base/error.h"
#include "mvd/sample/resize.h"

namespace mvd {
namespace {

constexpr int kFractionBits = 22;  // 32 less 8 for the pixel and 2 for overshoot
constexpr double kLobes = 3;

double Lanczos(double x) {
  if (x < -kLobes || x >= kLobes) return 0;
  if (x == 0) return 1;
  const double a = std::numbers::pi * x, b = a / kLobes;
  return std::sin(a) / a * (std::sin(b) / b);
}

// The source pixels [first, first + weights.size()) that make one target pixel.
struct FixedTaps {
  int64_t first = 0;
  std::vector<int32_t> weights;
};

FixedTaps MakeTaps(int64_t target, int64_t in, int64_t out) {
  const double scale = double(in) / double(out), widen = std::max(scale, 1.0);
  const double center = (double(target) + 0.5) * scale, support = kLobes * widen;
  // Truncation, not floor, is what Pillow does; the clamp makes them the same.
  const int64_t first = std::max<int64_t>(0, int64_t(center - support + 0.5));
  const int64_t last = std::min<int64_t>(in, int64_t(center + support + 0.5));
  std::vector<double> weights;
  double sum = 0;
  for (int64_t i = first; i < last; ++i) {
    weights.push_back(Lanczos((double(i) - center + 0.5) * (1.0 / widen)));
    sum += weights.back();
  }
  FixedTaps taps{first, {}};
  for (double weight : weights) {
    if (sum != 0) weight /= sum;
    const double fixed = weight * (1 << kFractionBits);
    taps.weights.push_back(int32_t(fixed < 0 ? fixed - 0.5 : fixed + 0.5));
  }
  return taps;
}

// Resizes the middle axis of (rows, in, lanes) to (rows, out, lanes): pixels of a row, or rows of a picture.
std::vector<uint8_t> ResizeAxis(std::span<const uint8_t> source, int64_t rows, int64_t in, int64_t lanes,
                                int64_t out) {
  std::vector<uint8_t> target(size_t(rows * out * lanes));
  std::vector<int32_t> sums(static_cast<size_t>(lanes));
  for (int64_t o = 0; o < out; ++o) {
    const FixedTaps taps = MakeTaps(o, in, out);
    for (int64_t row = 0; row < rows; ++row) {
      std::fill(sums.begin(), sums.end(), int32_t{1} << (kFractionBits - 1));
      for (size_t k = 0; k < taps.weights.size(); ++k) {
        const uint8_t* from = &source[size_t((row * in + taps.first + int64_t(k)) * lanes)];
        for (int64_t lane = 0; lane < lanes; ++lane) sums[size_t(lane)] += taps.weights[k] * from[lane];
      }
      uint8_t* to = &target[size_t((row * out + o) * lanes)];
      for (int64_t lane = 0; lane < lanes; ++lane) {
        to[lane] = uint8_t(std::clamp(sums[size_t(lane)] >> kFractionBits, 0, 255));
      }
    }
  }
  return target;
}

// The order of the passes shows in the 8-bit intermediate. Pillow 13 removes rows first where it removes more
// than twice as many as columns (found by trying 1451 sizes); versions before always took the columns first.
bool RowsFirst(int64_t w, int64_t h, int64_t width, int64_t height) {
  return height < h && h - height > 2 * (w - width);
}

}  // namespace

RgbImage LanczosResize(const RgbView& image, int64_t width, int64_t height) {
  MVD_CHECK_EQ(int64_t(image.pixels.size()), image.width * image.height * kRgbChannels);
  MVD_CHECK(image.width >= 1 && image.height >= 1 && width >= 1 && height >= 1, image.width, "x",
            image.height, " to ", width, "x", height);
  // The picture itself is read where it lies: it may be many times larger than what becomes of it.
  std::span<const uint8_t> source = image.pixels;
  std::vector<uint8_t> pixels;
  int64_t w = image.width, h = image.height;
  // An axis that keeps its size is not touched: its taps would be the identity.
  const auto resize_rows = [&] {
    if (h == height) return;
    pixels = ResizeAxis(source, 1, h, w * kRgbChannels, height);
    source = pixels;
    h = height;
  };
  const auto resize_columns = [&] {
    if (w == width) return;
    pixels = ResizeAxis(source, h, w, kRgbChannels, width);
    source = pixels;
    w = width;
  };
  if (RowsFirst(w, h, width, height)) {
    resize_rows();
    resize_columns();
  } else {
    resize_columns();
    resize_rows();
  }
  if (pixels.empty()) pixels.assign(source.begin(), source.end());
  return {std::move(pixels), width, height};
}

}  // namespace mvd
