// SVD's picture for the CLIP encoder: blur against aliasing, bicubic sampling, normalisation. Both the blur
// and the sampling are separable, so each axis is one table of weights applied in a single pass.
#include <algorithm>
#include <cmath>

#include "mvd/base/error.h"
#include "mvd/sample/resize.h"

namespace mvd {
namespace {

// The normalised Gaussian of an axis shrunk by factor in/out: sigma = max((f-1)/2, 0.001), an odd number of
// taps, int(max(4 sigma, 3)) or one more.
std::vector<double> GaussianTaps(int64_t in, int64_t out) {
  const double sigma = std::max((double(in) / double(out) - 1) / 2, 0.001);
  const int64_t count = int64_t(std::max(4 * sigma, 3.0)) | 1;
  std::vector<double> taps(static_cast<size_t>(count));
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) {
    const double x = double(i - count / 2) / sigma;
    sum += taps[size_t(i)] = std::exp(-x * x / 2);
  }
  for (double& tap : taps) tap /= sum;
  return taps;
}

// Mirrors at the border pixel without repeating it. The blur reaches less than one length out.
int64_t Reflect(int64_t i, int64_t length) {
  if (length == 1) return 0;
  if (i < 0) i = -i;
  return i < length ? i : 2 * (length - 1) - i;
}

// Keys' cubic convolution with a = -0.75, PyTorch's choice, at distance t in [0,1) right of the second tap.
std::array<double, 4> CubicTaps(double t) {
  constexpr double a = -0.75;
  const auto near = [](double x) { return ((a + 2) * x - (a + 3)) * x * x + 1; };       // |x| <= 1
  const auto far = [](double x) { return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a; };  // 1 < |x| < 2
  return {far(t + 1), near(t), near(1 - t), far(2 - t)};
}

// The source pixels [first, first + weights.size()) that make one target pixel.
struct Taps {
  int64_t first = 0;
  std::vector<double> weights;
};

// One target pixel's weights over the source: the cubic's four taps, each a blurred pixel.
Taps BlurredCubic(int64_t target, int64_t in, int64_t out, const std::vector<double>& blur) {
  // In f32 as PyTorch computes it: near 1000 its rounding moves a sample by 3e-5 pixels.
  const float scale = out > 1 ? float(in - 1) / float(out - 1) : 0.0f;
  const float position = scale * float(target);
  const int64_t base = std::min(int64_t(position), in - 1);
  const std::array<double, 4> cubic = CubicTaps(double(position) - double(base));
  const int64_t reach = int64_t(blur.size()) / 2;
  const int64_t first = std::max<int64_t>(0, base - 1 - reach);
  // Reflection at either end may reach further inside than the taps do on their own.
  const int64_t low = std::min(first, std::max<int64_t>(0, in - 1 - reach));
  const int64_t high = std::min(in, std::max(base + 3 + reach, reach + 1));
  Taps taps{low, std::vector<double>(size_t(high - low), 0.0)};
  for (int64_t k = 0; k < 4; ++k) {
    const int64_t center = std::clamp<int64_t>(base - 1 + k, 0, in - 1);
    for (int64_t i = -reach; i <= reach; ++i) {
      taps.weights[size_t(Reflect(center + i, in) - low)] += cubic[size_t(k)] * blur[size_t(i + reach)];
    }
  }
  return taps;
}

std::vector<Taps> AxisTaps(int64_t in, int64_t out) {
  const std::vector<double> blur = GaussianTaps(in, out);
  std::vector<Taps> taps;
  for (int64_t o = 0; o < out; ++o) taps.push_back(BlurredCubic(o, in, out, blur));
  return taps;
}

// One row of the source, (width,3), in [-1,1].
void ReadRow(const TensorView& image, int64_t row, std::span<double> values) {
  const size_t first = size_t(row) * values.size();
  if (image.dtype == DType::kU8) {
    const uint8_t* from = static_cast<const uint8_t*>(image.data) + first;
    std::transform(from, from + values.size(), values.begin(), [](uint8_t v) { return SignedUnit(v); });
  } else {
    std::copy_n(image.f32().begin() + ptrdiff_t(first), values.size(), values.begin());
  }
}

// (rows,in,3) from row `first` of `image` on -> (size,size,3). Row by row: each source row is resampled to
// `size` pixels and added, in the rows' order, to every target row that it is part of. So no more than a row
// of doubles is held of a picture that may have 64 megapixels.
std::vector<double> Resample(const TensorView& image, int64_t first, int64_t rows, int64_t in, int64_t size) {
  const std::vector<Taps> across = AxisTaps(in, size), down = AxisTaps(rows, size);
  const size_t lanes = size_t(size * kRgbChannels);
  std::vector<double> target(size_t(size) * lanes, 0.0), values(size_t(in * kRgbChannels)), wide(lanes);
  for (int64_t row = 0; row < rows; ++row) {
    ReadRow(image, first + row, values);
    std::fill(wide.begin(), wide.end(), 0.0);
    for (size_t o = 0; o < across.size(); ++o) {
      const double* from = &values[size_t(across[o].first * kRgbChannels)];
      for (const double weight : across[o].weights) {
        for (size_t c = 0; c < size_t(kRgbChannels); ++c) wide[o * kRgbChannels + c] += weight * *from++;
      }
    }
    for (size_t o = 0; o < down.size(); ++o) {
      const int64_t k = row - down[o].first;
      if (k < 0 || k >= int64_t(down[o].weights.size())) continue;
      const double weight = down[o].weights[size_t(k)];
      for (size_t lane = 0; lane < lanes; ++lane) target[o * lanes + lane] += weight * wide[lane];
    }
  }
  return target;
}

}  // namespace

Tensor ClipPixels(const TensorView& image, const ClipPreprocessing& options) {
  MVD_CHECK(image.shape.rank() == 4 && image.shape[3] == kRgbChannels && image.shape.elements() > 0,
            image.shape);
  const int64_t n = image.shape[0], height = image.shape[1], width = image.shape[2], size = options.size;
  MVD_CHECK_GE(size, 1);
  Tensor result({n, size, size, kRgbChannels});
  const std::span<float> pixels = result.f32();
  const size_t target = size_t(size * size * kRgbChannels);
  for (int64_t i = 0; i < n; ++i) {
    const std::vector<double> square = Resample(image, i * height, height, width, size);
    for (size_t j = 0; j < target; ++j) {
      const size_t c = j % kRgbChannels;
      pixels[size_t(i) * target + j] = float(((square[j] + 1) / 2 - options.mean[c]) / options.stddev[c]);
    }
  }
  return result;
}

}  // namespace mvd
