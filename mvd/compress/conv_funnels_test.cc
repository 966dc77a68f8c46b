// Funnels between two convolutions: the reshapes A1 and A2 are right if real convolutions in a row say so.
#include <array>
#include <cmath>
#include <utility>

#include "mvd/compress/compress_testing.h"
#include "mvd/compress/funnels.h"
#include "mvd/models/unet_layout.h"

namespace mvd {
namespace {

// Channels, frames, height, width.
struct Video {
  int64_t c, t, h, w;
  std::vector<double> data;
  Video(int64_t channels, int64_t frames, int64_t height, int64_t width)
      : c(channels), t(frames), h(height), w(width), data(size_t(c * t * h * w)) {}
  double& At(int64_t i, int64_t f, int64_t y, int64_t x) {
    return data[size_t(((i * t + f) * h + y) * w + x)];
  }
  double At(int64_t i, int64_t f, int64_t y, int64_t x) const {
    if (f < 0 || f >= t || y < 0 || y >= h || x < 0 || x >= w) return 0;
    return data[size_t(((i * t + f) * h + y) * w + x)];
  }
};

// Equation A1 with zero padding and odd kernels, (out,in,kh,kw) or (out,in,kt,kh,kw), bias (out) if given.
Video Convolve(const Video& x, const Tensor& weight, const Tensor* bias = nullptr) {
  const Shape& s = weight.shape();
  const int64_t kt = s.rank() == 5 ? s[2] : 1, kh = s[-2], kw = s[-1];
  Video y(s[0], x.t, x.h, x.w);
  for (int64_t o = 0; o < y.c; ++o) {
    for (int64_t at = 0; at < x.t * x.h * x.w; ++at) {
      const int64_t f = at / (x.h * x.w), row = at / x.w % x.h, column = at % x.w;
      double sum = bias ? bias->f32()[size_t(o)] : 0;
      for (int64_t i = 0; i < s[1]; ++i) {
        for (int64_t k = 0; k < kt * kh * kw; ++k) {
          const double w = weight.f32()[size_t((o * s[1] + i) * kt * kh * kw + k)];
          sum +=
              w * x.At(i, f + k / (kh * kw) - kt / 2, row + k / kw % kh - kh / 2, column + k % kw - kw / 2);
        }
      }
      y.At(o, f, row, column) = sum;
    }
  }
  return y;
}

// A funnel as a 1x1 convolution.
Tensor AsConvolution(const Tensor& funnel) {
  return Tensor::FromVector({funnel.shape()[1], funnel.shape()[2], 1, 1}, funnel.f32());
}

Video Noise(int64_t channels, int64_t frames, int64_t height, int64_t width) {
  Video x(channels, frames, height, width);
  x.data = Normals(9, 0, x.data.size());
  return x;
}

double RelativeError(const Video& got, const Video& want) {
  double error = 0, size = 0;
  for (size_t i = 0; i < want.data.size(); ++i) {
    error += (got.data[i] - want.data[i]) * (got.data[i] - want.data[i]);
    size += want.data[i] * want.data[i];
  }
  return std::sqrt(error / size);
}

struct Case {
  Shape conv1, conv2;
};

const std::array<Case, 3> kCases = {{{{64, 12, 3, 3}, {9, 64, 3, 3}},         // a spatial res block
                                     {{64, 30, 3, 1, 1}, {28, 64, 3, 1, 1}},  // a temporal one
                                     {{64, 3, 3, 3}, {64, 64, 1, 1}}}};       // fewer inputs than channels

class ConvFunnelsTest : public testing::TestWithParam<Case> {};

// 1e-5: f32 weights, funnels and merged weights, times the condition number of the 64 channels, some tens.
TEST_P(ConvFunnelsTest, IsExactAtFullWidth) {
  const Tensor w1 = NormalTensor(GetParam().conv1, 1), w2 = NormalTensor(GetParam().conv2, 2);
  const Funnels f = ConvFunnels(Layer(w1), Layer(w2), 1);
  ASSERT_EQ(f.first.shape(), Shape({1, 64, 64}));
  const Video x = Noise(w1.shape()[1], 4, 5, 3);
  const Video want = Convolve(Convolve(x, w1), w2);
  EXPECT_LE(RelativeError(Convolve(Convolve(x, MergeBehind(f.first, w1)), MergeBefore(w2, f.second)), want),
            1e-5);
}

TEST_P(ConvFunnelsTest, MergedEqualsUnmergedBiasIncluded) {
  const Tensor w1 = NormalTensor(GetParam().conv1, 1), w2 = NormalTensor(GetParam().conv2, 2);
  const Tensor bias = NormalTensor({64}, 3);
  for (const bool he : {false, true}) {
    Funnels f = ConvFunnels(Layer(w1), Layer(w2), 0.5);
    if (he) f = {HeFunnel({1, 32, 64}, 1, 0), HeFunnel({1, 64, 32}, 1, 1), {}};
    const Video x = Noise(w1.shape()[1], 4, 5, 3);
    Video unmerged = Convolve(Convolve(x, w1, &bias), AsConvolution(f.first));
    const Tensor merged_bias = MergeBehind(f.first, bias);
    ASSERT_EQ(merged_bias.shape(), Shape({32}));
    Video merged = Convolve(x, MergeBehind(f.first, w1), &merged_bias);
    EXPECT_LE(RelativeError(merged, unmerged), 1e-6);  // one rounding to f32 an element
    // What stands between the layers in the network, at the reduced width.
    for (Video* v : {&unmerged, &merged})
      for (double& value : v->data) value = value / (1 + std::exp(-value));
    unmerged = Convolve(Convolve(unmerged, AsConvolution(f.second)), w2);
    merged = Convolve(merged, MergeBefore(w2, f.second));
    EXPECT_LE(RelativeError(merged, unmerged), 1e-6);
  }
}

// The matrix (out taps) x (in taps) of the pair: every tap of the second kernel on every tap of the first.
Mat Product(const Tensor& w1, const Tensor& w2) {
  const int64_t c = w1.shape()[0], columns = w1.elements() / c, out = w2.shape()[0],
                taps = w2.elements() / out / c;
  Mat product(out * taps, columns);
  for (int64_t o = 0; o < out; ++o)
    for (int64_t k = 0; k < taps; ++k)
      for (int64_t i = 0; i < c; ++i)
        for (int64_t j = 0; j < columns; ++j)
          product(o * taps + k, j) +=
              double(w2.f32()[size_t((o * c + i) * taps + k)]) * w1.f32()[size_t(i * columns + j)];
  return product;
}

TEST_P(ConvFunnelsTest, LosesTheSmallestSingularValues) {
  const Tensor w1 = NormalTensor(GetParam().conv1, 1), w2 = NormalTensor(GetParam().conv2, 2);
  const Funnels f = ConvFunnels(Layer(w1), Layer(w2), 0.5);
  const Tensor m1 = MergeBehind(f.first, w1), m2 = MergeBefore(w2, f.second);
  EXPECT_EQ(m1.shape()[0], 32);
  EXPECT_EQ(m2.shape()[1], 32);
  EXPECT_EQ(m1.shape().rank(), w1.shape().rank());
  ASSERT_EQ(f.singular_values.size(), 64u);
  const Mat product = Product(w1, w2);
  double all = 0, lost = 0;
  for (size_t i = 0; i < 64; ++i) {
    all += f.singular_values[i] * f.singular_values[i];
    if (i >= 32) lost += f.singular_values[i] * f.singular_values[i];
  }
  EXPECT_NEAR(all / SquaredNorm(product), 1, 1e-10);
  EXPECT_NEAR(std::sqrt(SquaredDistance(product, Product(m1, m2))), std::sqrt(lost), 1e-5 * std::sqrt(all));
}

INSTANTIATE_TEST_SUITE_P(Kernels, ConvFunnelsTest, testing::ValuesIn(kCases));

TEST(ConvFunnelsErrorsTest, RefusesWhatDoesNotFit) {
  const Tensor w1 = NormalTensor({64, 4, 3, 3}, 1), w2 = NormalTensor({4, 64, 3, 3}, 2);
  const Tensor odd = NormalTensor({48, 4, 3, 3}, 3), odd2 = NormalTensor({4, 48, 3, 3}, 4),
               matrix = NormalTensor({64, 64}, 5);
  ExpectError(Exit::kBadInput, {"'odd'", "(48,4,3,3)", "multiple of 32"},
              [&] { ConvFunnels(Layer(odd, "odd"), Layer(odd2), 0.5); });
  ExpectError(Exit::kBadInput,
              {"model.safetensors: tensor 'b' has shape (4,48,3,3), expected 64 input channels"},
              [&] { ConvFunnels(Layer(w1, "a"), Layer(odd2, "b"), 0.5); });
  ExpectError(Exit::kBadInput, {"'m'", "a convolution"},
              [&] { ConvFunnels(Layer(w1), Layer(matrix, "m"), 0.5); });
  ExpectError(Exit::kUsage, {"fun-factor is 2"}, [&] { ConvFunnels(Layer(w1), Layer(w2), 2); });
  ExpectError(Exit::kBadInput, {"48 channels"}, [] { ConvFunnelWidth(48, 0.5); });
}

}  // namespace
}  // namespace mvd
