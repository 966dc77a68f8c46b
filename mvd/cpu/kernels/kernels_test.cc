// Every kernel of every level this processor runs against plain loops in double, in both types, at odd sizes,
// from misaligned pointers and with guards behind the outputs. Here: conversions, pointwise, norms.
#include "mvd/cpu/kernels/test_support.h"

namespace mvd::kernels {
namespace {

TEST(Levels, ScalarIsFirstAndTablesCarryTheirNames) {
  ASSERT_FALSE(Levels().empty());
  EXPECT_EQ(Levels()[0].name, "scalar");
  EXPECT_TRUE(Levels()[0].supported());
  for (const Level& level : Levels()) EXPECT_EQ(level.name, level.table().isa);
}

TEST(Convert, EveryBf16AndEveryKindOfF32) {
  for (const Level& level : Levels()) {
    if (!level.supported()) continue;
    SCOPED_TRACE(std::string(level.name));
    Buffer<BF16Bits> all(65536), back(65536 - 3);
    Buffer<float> wide(65536);
    for (int64_t i = 0; i < 65536; ++i) all[i] = BF16Bits(i);
    level.table().to_f32(all.data(), 65536, wide.data());
    for (int64_t i = 0; i < 65536; ++i) {
      EXPECT_EQ(std::bit_cast<uint32_t>(wide[i]), uint32_t(i) << 16);
      wide[i] = std::bit_cast<float>(uint32_t(i) << 16 | uint32_t(i * 40503 & 0xffff));
    }
    for (int64_t i = 0; i < 4096; ++i) wide[i] = std::bit_cast<float>(uint32_t(i) << 20 | 0x8000u);  // ties
    level.table().to_bf16(wide.data() + 3, back.size(), back.data());
    for (int64_t i = 0; i < back.size(); ++i) EXPECT_EQ(back[i], BF16(wide[i + 3]).bits) << wide[i + 3];
    EXPECT_TRUE(back.GuardsHold());
    for (int64_t n = 0; n <= 70; ++n) {
      Buffer<float> narrow(n);
      level.table().to_f32(all.data() + 16000, n, narrow.data());
      for (int64_t i = 0; i < n; ++i) EXPECT_EQ(double(narrow[i]), ToDouble(all[16000 + i]));
      EXPECT_TRUE(narrow.GuardsHold());
    }
  }
}

TEST(Pointwise, ActivationsOverTheirWholeRange) {
  ForAll([]<class E>(const TypedKernels<E>& k, E) {
    std::vector<double> points = {0,    -0.0, 1e-30, -1e-30, 88.8,  -88.8,       104,
                                  -104, 3e4,  -3e4,  1e30,   -1e30, std::nan("")};
    for (double x = -30; x < 30; x += 0.0173) points.push_back(x);
    const int64_t n = int64_t(points.size());
    Buffer<E> x(n), y(n);
    for (int64_t i = 0; i < n; ++i) x[i] = From<E>(points[size_t(i)]);
    for (const Activation act : kActivations) {
      k.activate(x.data(), n, act, y.data());
      for (int64_t i = 0; i < n; ++i) {
        const double in = ToDouble(x[i]), want = Reference(act, in);
        ExpectNear(y[i], want, act == Activation::kNone ? 0 : ActivationBound<E>(in, want),
                   "activation " + std::to_string(int(act)) + " of " + std::to_string(in));
      }
      EXPECT_TRUE(y.GuardsHold());
    }
  });
}

TEST(Pointwise, EverySizeUpTo70) {
  ForAll([]<class E>(const TypedKernels<E>& k, E) {
    std::mt19937 engine(1);
    for (int64_t n = 0; n <= 70; ++n) {
      SCOPED_TRACE(n);
      Buffer<E> a(n), b(n), y(n);
      a.Fill(engine, 3);
      b.Fill(engine, 3);
      const auto expect = [&](double absolute, const std::function<double(double, double)>& want,
                              const char* name) {
        for (int64_t i = 0; i < n; ++i)
          ExpectNear(y[i], want(ToDouble(a[i]), ToDouble(b[i])), absolute, name);
        EXPECT_TRUE(y.GuardsHold()) << name;
      };
      // Terms up to some 12 are rounded once or twice before they may cancel: a few 2^-24 of that.
      const double cancel = 64 * 0x1p-24;
      k.multiply(a.data(), b.data(), n, y.data());
      expect(
          0, [](double p, double q) { return p * q; }, "multiply");
      k.add(a.data(), b.data(), n, y.data());
      expect(
          0, [](double p, double q) { return p + q; }, "add");
      k.affine(a.data(), n, 1.7f, -0.3f, y.data());
      expect(
          cancel, [](double p, double) { return p * double(1.7f) + double(-0.3f); }, "affine");
      k.blend(a.data(), b.data(), 0.3f, n, y.data());
      expect(
          cancel, [](double p, double q) { return double(0.3f) * p + (1 - double(0.3f)) * q; }, "blend");
      for (int64_t i = 0; i < n; ++i) y[i] = a[i];
      k.add(y.data(), b.data(), n, y.data());
      expect(
          0, [](double p, double q) { return p + q; }, "add in place");
      for (int64_t i = 0; i < n; ++i) y[i] = a[i];
      k.activate(y.data(), n, Activation::kSilu, y.data());
      for (int64_t i = 0; i < n; ++i) {
        const double x = ToDouble(a[i]), want = Reference(Activation::kSilu, x);
        ExpectNear(y[i], want, ActivationBound<E>(x, want), "silu in place");
      }
    }
  });
}

TEST(Pointwise, RowsOfEveryWidthUpTo70) {
  ForAll([]<class E>(const TypedKernels<E>& k, E) {
    std::mt19937 engine(2);
    for (int64_t channels = 1; channels <= 70; ++channels) {
      SCOPED_TRACE(channels);
      const int64_t rows = 3, n = rows * channels;
      Buffer<E> x(n), wide(2 * n), y(n);
      Buffer<float> scale(channels), shift(channels);
      x.Fill(engine, 2);
      wide.Fill(engine, 2);
      scale.Fill(engine, 1);
      shift.Fill(engine, 1);
      for (const Activation act : kActivations) {
        k.scale_shift(x.data(), rows, channels, scale.data(), shift.data(), act, y.data());
        for (int64_t i = 0; i < n; ++i) {
          const double in = ToDouble(x[i]) * scale[i % channels] + shift[i % channels],
                       want = Reference(act, in);
          // |x scale| stays below 40: its rounding moves an argument of slope at most 1.13.
          ExpectNear(y[i], want, ActivationBound<E>(in, want) + 64 * 0x1p-24, "scale_shift");
        }
        EXPECT_TRUE(y.GuardsHold());
      }
      k.add_row(x.data(), shift.data(), rows, channels, y.data());
      for (int64_t i = 0; i < n; ++i) ExpectNear(y[i], ToDouble(x[i]) + shift[i % channels], 0, "add_row");
      k.geglu(wide.data(), rows, channels, y.data());
      for (int64_t i = 0; i < n; ++i) {
        const int64_t at = i / channels * 2 * channels + i % channels;
        const double value = ToDouble(wide[at]), gate = ToDouble(wide[at + channels]);
        const double gelu = Reference(Activation::kGelu, gate);
        ExpectNear(y[i], value * gelu, std::abs(value) * ActivationBound<E>(gate, gelu), "geglu");
      }
      EXPECT_TRUE(y.GuardsHold());
    }
  });
}

template <class E>
void CheckGroupStats(const TypedKernels<E>& k, int64_t rows, int64_t groups, int64_t width, double mean,
                     double spread) {
  std::mt19937 engine(3);
  const int64_t channels = groups * width;
  Buffer<E> x(rows * channels);
  x.Fill(engine, spread, mean);
  std::vector<GroupStats> stats(size_t(groups) + 1, {-7, -7});
  k.group_stats(x.data(), rows, channels, groups, stats.data());
  for (int64_t g = 0; g < groups; ++g) {
    double sum = 0, m2 = 0, largest = 0;
    const double count = double(rows * width);
    const auto each = [&](auto f) {
      for (int64_t i = 0; i < rows * width; ++i) f(ToDouble(x[i / width * channels + g * width + i % width]));
    };
    each([&](double v) { sum += v, largest = std::max(largest, std::abs(v)); });
    each([&](double v) { m2 += (v - sum / count) * (v - sum / count); });
    // A channel's f32 sum of up to 256 values before it goes to double: 64 sweeps, error below 66 * 2^-24 of
    // the largest value a term, and far less by chance; 2^-20 leaves room for neither a lost row nor E[x^2] -
    // E[x]^2.
    EXPECT_NEAR(stats[size_t(g)].mean, sum / count, 0x1p-20 * largest);
    EXPECT_NEAR(stats[size_t(g)].m2, m2, 0x1p-18 * m2 + count * 0x1p-44 * largest * largest);
  }
  EXPECT_EQ(stats.back().mean, -7);
}

TEST(GroupStats, OddShapesAndLargeMeans) {
  ForAll([]<class E>(const TypedKernels<E>& k, E) {
    for (const int64_t rows : {1, 3, 4, 7, 257, 300}) {
      for (const int64_t width : {1, 2, 3, 10, 17, 33, 40}) CheckGroupStats(k, rows, 5, width, 0.5, 2);
    }
    CheckGroupStats(k, 9, 32, 80, 0, 1);      // more channels than one chunk
    CheckGroupStats(k, 5, 2, 1100, 0, 1);     // a group across chunks
    CheckGroupStats(k, 600, 3, 20, 1000, 1);  // E[x^2] - E[x]^2 would have 2 digits left in f32
    CheckGroupStats(k, 40, 3, 20, 7, 0);      // no variance
    CheckGroupStats(k, 40, 3, 20, 0, 1e15);
  });
}

TEST(LayerNorm, OddWidths) {
  ForAll([]<class E>(const TypedKernels<E>& k, E) {
    std::mt19937 engine(4);
    for (int64_t channels = 1; channels <= 400; channels += channels < 70 ? 1 : 33) {
      for (const double mean : {0.0, 30.0}) {
        SCOPED_TRACE(channels);
        const int64_t rows = 3;
        Buffer<E> x(rows * channels), y(rows * channels);
        Buffer<float> gamma(channels), beta(channels);
        x.Fill(engine, 2, mean);
        gamma.Fill(engine, 1);
        beta.Fill(engine, 1);
        for (int64_t c = 0; c < channels; ++c) x[c] = From<E>(mean);  // a row of no variance
        k.layer_norm(x.data(), rows, channels, gamma.data(), beta.data(), 1e-5, y.data());
        for (int64_t i = 0; i < y.size(); ++i) {
          double m = 0, m2 = 0;
          const int64_t first = i / channels * channels;
          for (int64_t c = 0; c < channels; ++c) m += ToDouble(x[first + c]) / double(channels);
          for (int64_t c = 0; c < channels; ++c)
            m2 += std::pow(ToDouble(x[first + c]) - m, 2) / double(channels);
          const double inverse = 1 / std::sqrt(m2 + 1e-5), g = gamma[i % channels];
          const double want = (ToDouble(x[i]) - m) * inverse * g + beta[i % channels];
          // The mean is off by some 2^-22 of the values' size, which 1/deviation magnifies; beta may cancel.
          ExpectNear(y[i], want, 0x1p-22 * ((mean + 8) * inverse * std::abs(g) + 8), "layer_norm");
        }
        EXPECT_TRUE(y.GuardsHold());
        k.layer_norm(x.data(), rows, channels, gamma.data(), beta.data(), 1e-5, x.data());
        for (int64_t i = 0; i < y.size(); ++i) EXPECT_EQ(x[i], y[i]) << "in place";
      }
    }
  });
}

}  // namespace
}  // namespace mvd::kernels
