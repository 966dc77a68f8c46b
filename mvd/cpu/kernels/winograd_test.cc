// Winograd convolutions against plain sums in double.
#include "mvd/cpu/kernels/test_support.h"

namespace mvd::kernels {
namespace {

// What a Winograd job reads, and the plain loops' answer beside it.
struct WinogradCase {
  int64_t frames, height, width, inputs, outputs;
  int64_t bias_frames = 1;  // 0: no bias
  Activation act = Activation::kNone;
  bool residual = false, residual_bf16 = false, target_bf16 = false;
  int64_t block = 7;  // tiles: neither a divisor of a row nor of the kernels' own tiles
};

template <class E>
std::vector<double> PlainConvolution(const WinogradCase& c, Buffer<E>& x, Buffer<float>& w) {
  std::vector<double> y;
  for (int64_t i = 0; i < c.frames * c.height * c.width * c.outputs; ++i) {
    const int64_t o = i % c.outputs, pixel = i / c.outputs, frame = pixel / (c.width * c.height);
    double sum = 0;
    for (int tap = 0; tap < 9; ++tap) {
      const int64_t row = pixel / c.width % c.height + tap / 3 - 1, column = pixel % c.width + tap % 3 - 1;
      if (row < 0 || row >= c.height || column < 0 || column >= c.width) continue;
      for (int64_t k = 0; k < c.inputs; ++k) {
        sum += ToDouble(x[((frame * c.height + row) * c.width + column) * c.inputs + k]) *
               double(w[(o * c.inputs + k) * 9 + tap]);
      }
    }
    y.push_back(sum);
  }
  return y;
}

template <class E, class O, class R>
void CheckWinograd(const TypedKernels<E>& k, const WinogradCase& c) {
  SCOPED_TRACE(std::to_string(c.height) + "x" + std::to_string(c.width) + " " + std::to_string(c.inputs) +
               "->" + std::to_string(c.outputs) + " act " + std::to_string(int(c.act)));
  std::mt19937 engine(7);
  const int64_t pixels = c.frames * c.height * c.width;
  Buffer<E> x(pixels * c.inputs);
  Buffer<float> w(c.outputs * c.inputs * 9), bias(c.frames * c.outputs);
  Buffer<R> residual(pixels * c.outputs);
  Buffer<O> y(pixels * c.outputs);
  x.Fill(engine, 1);
  w.Fill(engine, 1 / std::sqrt(9.0 * double(c.inputs)));
  bias.Fill(engine, 1);
  residual.Fill(engine, 1);
  const WinogradSizes sizes = k.winograd_sizes(c.inputs, c.outputs, c.block);
  const std::align_val_t line{64};
  char* weights = new (line) char[size_t(sizes.weights)];
  char* scratch = new (line) char[size_t(sizes.scratch)];
  std::fill_n(weights, sizes.weights, char(-1));  // NaN in either type
  std::fill_n(scratch, sizes.scratch, char(-1));
  for (int64_t panel = 0; panel < sizes.panels; ++panel)
    k.winograd_pack(w.data(), c.inputs, c.outputs, panel, weights);
  const int64_t tiles = c.frames * ((c.height + 1) / 2) * ((c.width + 1) / 2);
  for (int64_t first = 0; first < tiles; first += c.block) {
    k.winograd({x.data(), weights, c.height, c.width, c.inputs, c.outputs, first,
                std::min(c.block, tiles - first), c.bias_frames ? bias.data() : nullptr, c.bias_frames, c.act,
                c.residual ? residual.data() : nullptr, c.residual_bf16, y.data(), c.target_bf16, scratch});
  }
  operator delete[](weights, line);
  operator delete[](scratch, line);

  const std::vector<double> sums = PlainConvolution(c, x, w);
  double error = 0, size = 0;
  for (int64_t i = 0; i < y.size(); ++i) {
    const int64_t frame = i / (c.height * c.width * c.outputs);
    const double shift = c.bias_frames ? bias[frame / c.bias_frames * c.outputs + i % c.outputs] : 0;
    const double in = sums[size_t(i)] + shift + (c.residual ? ToDouble(residual[i]) : 0);
    const double want = Reference(c.act, in);
    ASSERT_FALSE(std::isnan(ToDouble(y[i]))) << i;
    // Sums have unit variance. A transformed weight or input is rounded once (relative 2^-9 / sqrt 3 RMS in
    // bf16) and A^T, G, B^T magnify that to 5/3 of what it would be in the plain sum: 1.7 * 1.6e-3 = 2.7e-3;
    // 7 deviations of two such errors are 0.027. In f32 the RMS is below 2e-6: ten of these.
    const double bound = (sizeof(E) == 4 ? 2e-5 : 0.027) + ActivationBound<O>(in, want);
    EXPECT_NEAR(ToDouble(y[i]), want, bound + 2 * kRounding<O> * std::abs(want));
    error += std::pow(ToDouble(y[i]) - want, 2), size += want * want;
  }
  // Two roundings, 3.9e-3, and that of the result, 1.7e-3.
  EXPECT_LE(std::sqrt(error / size), sizeof(E) == 2 ? 5e-3 : sizeof(O) == 2 ? 2e-3 : 2e-6);
  EXPECT_TRUE(y.GuardsHold());
}

TEST(Winograd, OddSizesPartialTilesAndEveryEpilogue) {
  ForAll([]<class E>(const TypedKernels<E>& k, E) {
    CheckWinograd<E, float, float>(k, {.frames = 1, .height = 1, .width = 1, .inputs = 16, .outputs = 16});
    CheckWinograd<E, float, float>(
        k, {.frames = 2, .height = 1, .width = 6, .inputs = 16, .outputs = 48, .bias_frames = 0});
    CheckWinograd<E, float, float>(k, {.frames = 3, .height = 5, .width = 7, .inputs = 48, .outputs = 80});
    CheckWinograd<E, float, float>(
        k, {.frames = 1, .height = 9, .width = 4, .inputs = 160, .outputs = 64, .block = 64});
    for (const Activation act : kActivations) {
      const WinogradCase c{
          .frames = 4, .height = 4, .width = 3, .inputs = 32, .outputs = 32, .bias_frames = 2, .act = act};
      WinogradCase added = c, narrow = c, both = c;
      added.residual = narrow.target_bf16 = true;
      both.residual = both.residual_bf16 = both.target_bf16 = true;
      CheckWinograd<E, float, float>(k, added);
      CheckWinograd<E, BF16Bits, float>(k, narrow);
      CheckWinograd<E, BF16Bits, BF16Bits>(k, both);
      both.target_bf16 = false;
      CheckWinograd<E, float, BF16Bits>(k, both);
    }
  });
}

// Powers of two and ones need no rounding, in either type: the result is exact.
TEST(Winograd, CountsNeighboursExactly) {
  ForAll([]<class E>(const TypedKernels<E>& k, E) {
    constexpr int64_t kHeight = 5, kWidth = 6, kChannels = 16;
    Buffer<E> x(kHeight * kWidth * kChannels);
    Buffer<float> w(kChannels * kChannels * 9), y(kHeight * kWidth * kChannels);
    for (int64_t i = 0; i < x.size(); ++i) x[i] = From<E>(1);
    for (int64_t i = 0; i < w.size(); ++i) w[i] = i / 9 % kChannels == i / 9 / kChannels ? 4 : 0;
    const WinogradSizes sizes = k.winograd_sizes(kChannels, kChannels, 9);
    std::vector<char> memory(size_t(sizes.weights + sizes.scratch) + 64);
    char* weights = memory.data() + (64 - reinterpret_cast<uintptr_t>(memory.data()) % 64);
    ASSERT_EQ(sizes.weights % 64, 0);
    for (int64_t panel = 0; panel < sizes.panels; ++panel) {
      k.winograd_pack(w.data(), kChannels, kChannels, panel, weights);
    }
    k.winograd({x.data(), weights, kHeight, kWidth, kChannels, kChannels, 0, 9, nullptr, 1, Activation::kNone,
                nullptr, false, y.data(), false, weights + sizes.weights});
    for (int64_t i = 0; i < y.size(); ++i) {
      const int64_t row = i / kChannels / kWidth, column = i / kChannels % kWidth;
      const int64_t rows = 3 - (row == 0) - (row == kHeight - 1);
      const int64_t columns = 3 - (column == 0) - (column == kWidth - 1);
      EXPECT_EQ(y[i], float(4 * rows * columns)) << i;
    }
  });
}

}  // namespace
}  // namespace mvd::kernels
