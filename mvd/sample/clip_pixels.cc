// SVD's picture for the CLIP encoder: blur against aliasing, bicubic sampling, normalisation. Both the blur
// and the sampling are separable, so each axis is one table of weights applied in a single pass.
#include <algorithm>
#include <cmath>

#include "mvd/base/error.h"
#include "mvd/sample/resize.h"

namespace mvd {
namespace {

constexpr int64_t kChannels = 3;

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

// (rows, in, lanes) -> (rows, out, lanes).
std::vector<double> ResampleAxis(const std::vector<double>& source, int64_t rows, int64_t in, int64_t lanes,
                                 int64_t out) {
  const std::vector<double> blur = GaussianTaps(in, out);
  std::vector<double> target(size_t(rows * out * lanes), 0.0);
  for (int64_t o = 0; o < out; ++o) {
    const Taps taps = BlurredCubic(o, in, out, blur);
    for (int64_t row = 0; row < rows; ++row) {
      double* to = &target[size_t((row * out + o) * lanes)];
      for (size_t k = 0; k < taps.weights.size(); ++k) {
        const double* from = &source[size_t((row * in + taps.first + int64_t(k)) * lanes)];
        for (int64_t lane = 0; lane < lanes; ++lane) to[lane] += taps.weights[k] * from[lane];
      }
    }
  }
  return target;
}

}  // namespace

Tensor ClipPixels(const TensorView& image, const ClipPreprocessing& options) {
  MVD_CHECK(image.shape.rank() == 4 && image.shape[3] == kChannels && image.shape.elements() > 0,
            image.shape);
  const int64_t n = image.shape[0], height = image.shape[1], width = image.shape[2], size = options.size;
  MVD_CHECK_GE(size, 1);
  Tensor result({n, size, size, kChannels});
  const std::span<const float> source = image.f32();
  const std::span<float> pixels = result.f32();
  const size_t picture = size_t(height * width * kChannels), target = size_t(size * size * kChannels);
  for (size_t i = 0; i < size_t(n); ++i) {
    const std::span<const float> one = source.subspan(i * picture, picture);
    const std::vector<double> wide = ResampleAxis({one.begin(), one.end()}, height, width, kChannels, size);
    const std::vector<double> square = ResampleAxis(wide, 1, height, size * kChannels, size);
    for (size_t j = 0; j < target; ++j) {
      const size_t c = j % kChannels;
      pixels[i * target + j] = float(((square[j] + 1) / 2 - options.mean[c]) / options.stddev[c]);
    }
  }
  return result;
}

}  // namespace mvd
