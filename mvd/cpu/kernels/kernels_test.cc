// Every kernel of every level this processor runs against plain loops in double, in both types, at odd sizes,
// from misaligned pointers and with guards behind the outputs.
// Length: the walk over levels, types and guarded buffers is shared by the tests of all kernels.

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <functional>
#include <new>
#include <random>
#include <string>
#include <vector>

#include "mvd/base/dtype.h"
#include "mvd/cpu/kernels/levels.h"

namespace mvd::kernels {
namespace {

double ToDouble(float x) { return x; }
double ToDouble(BF16Bits x) {
  BF16 b;
  b.bits = x;
  return double(float(b));
}
template <class E>
E From(double x) {
  if constexpr (sizeof(E) == 4) {
    return float(x);
  } else {
    return BF16(float(x)).bits;
  }
}

// An array off any alignment but its type's, filled with NaN and guarded at both ends.
template <class E>
class Buffer {
 public:
  explicit Buffer(int64_t n) : values_(size_t(n) + 2 * kGuard, From<E>(std::nan(""))), n_(n) {}
  E* data() { return values_.data() + kGuard; }
  E& operator[](int64_t i) { return values_[size_t(i) + kGuard]; }
  int64_t size() const { return n_; }
  void Fill(std::mt19937& engine, double spread, double mean = 0) {
    std::normal_distribution<double> normal(mean, spread);
    for (int64_t i = 0; i < n_; ++i) (*this)[i] = From<E>(normal(engine));
  }
  bool GuardsHold() const {
    for (size_t i = 0; i < kGuard; ++i) {
      if (!std::isnan(ToDouble(values_[i])) || !std::isnan(ToDouble(values_[values_.size() - 1 - i])))
        return false;
    }
    return true;
  }

 private:
  static constexpr size_t kGuard = 67;  // odd, and more than one vector of either type
  std::vector<E> values_;
  int64_t n_;
};

// Half a unit in the last place of the stored type, relative: what rounding the result alone costs.
template <class E>
constexpr double kRounding = sizeof(E) == 4 ? 0x1p-24 : 0x1p-9;

// got against want: `absolute` beside what storing costs twice (once for an approximation next to a tie).
template <class E>
void ExpectNear(E got, double want, double absolute, const std::string& where) {
  if (std::isnan(want)) {
    EXPECT_TRUE(std::isnan(ToDouble(got))) << where;
    return;
  }
  if (got == From<E>(want)) return;  // infinities too
  EXPECT_NEAR(ToDouble(got), want, 2 * kRounding<E> * std::abs(want) + absolute) << where;
}

// Calls f for every level and both types.
template <class G>
void ForAll(G f) {
  for (const Level& level : Levels()) {
    if (!level.supported()) continue;
    SCOPED_TRACE(std::string(level.name));
    f(Typed<float>(level.table()), float{});
    f(Typed<BF16Bits>(level.table()), BF16Bits{});
  }
}

double Reference(Activation act, double x) {
  switch (act) {
    case Activation::kSilu:
      return x / (1 + std::exp(-x));
    case Activation::kGelu:
      return x < 0 ? 0.5 * x * std::erfc(-x / std::sqrt(2.0)) : x - 0.5 * x * std::erfc(x / std::sqrt(2.0));
    case Activation::kQuickGelu:
      return x / (1 + std::exp(-1.702 * x));
    case Activation::kRelu:
      return x < 0 ? 0 : x;  // NaN stays
    case Activation::kTanh:
      return std::tanh(x);
    case Activation::kNone:
      break;
  }
  return x;
}
constexpr Activation kActivations[] = {Activation::kNone,      Activation::kSilu, Activation::kGelu,
                                       Activation::kQuickGelu, Activation::kRelu, Activation::kTanh};

// simd.h promises 2e-7 + 2^-24 |x| and a few roundings; bf16 has coarse functions of 2e-4, a tenth of its
// rounding.
template <class E>
double ActivationBound(double x, double want) {
  return sizeof(E) == 4 ? 2e-7 + 4 * 0x1p-24 * std::abs(x) : 2e-4 * std::abs(want) + 1e-6;
}

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

struct AttentionCase {
  int64_t queries, keys, width, value_width;
  double spread = 1;  // of queries and keys
  float scale = 0;    // 0: 1 / sqrt(width)
  int64_t gap = 5;    // elements between tokens
};

// Runs one kernel and compares with double. Scratch is filled with NaN: what packing left out would show.
template <class E>
void CheckAttention(const TypedKernels<E>& k, const AttentionCase& c, bool few) {
  SCOPED_TRACE("queries " + std::to_string(c.queries) + " keys " + std::to_string(c.keys) + " width " +
               std::to_string(c.width) + " values " + std::to_string(c.value_width) + (few ? " few" : ""));
  std::mt19937 engine(5);
  const int64_t step = c.width + c.gap, value_step = c.value_width + c.gap;
  Buffer<E> q(c.queries * step), key(c.keys * step), v(c.keys * value_step), out(c.queries * value_step);
  q.Fill(engine, c.spread);
  key.Fill(engine, c.spread);
  v.Fill(engine, 1, 0.5);
  const int64_t bytes = k.attention_scratch(c.queries, c.keys, c.width, c.value_width);
  const int64_t guard = 64;
  float* scratch = static_cast<float*>(::operator new(size_t(bytes + 4 * guard), std::align_val_t(64)));
  for (int64_t i = 0; i < bytes / 4 + guard; ++i) scratch[i] = std::nanf("");
  const float scale = c.scale == 0 ? float(1 / std::sqrt(double(c.width))) : c.scale;
  const AttentionJob<E> job{q.data(),      key.data(), v.data(), out.data(), c.queries,  c.keys, c.width,
                            c.value_width, step,       step,     value_step, value_step, scale,  scratch};
  few ? k.attention_few(job) : k.attention(job);
  std::vector<double> p(size_t(c.keys));
  for (int64_t i = 0; i < c.queries; ++i) {
    double top = -INFINITY, sum = 0, size = 0;  // size: of the terms a score sums
    for (int64_t j = 0; j < c.keys; ++j) {
      double s = 0, terms = 0;
      for (int64_t w = 0; w < c.width; ++w) {
        const double product = ToDouble(q[i * step + w]) * ToDouble(key[j * step + w]);
        s += product, terms += std::abs(product);
      }
      p[size_t(j)] = s * scale;
      top = std::max(top, p[size_t(j)]);
      size = std::max(size, terms * scale);
    }
    for (double& x : p) sum += x = std::exp(x - top);
    for (int64_t w = 0; w < c.value_width; ++w) {
      double want = 0, spread = 0;
      for (int64_t j = 0; j < c.keys; ++j) want += p[size_t(j)] / sum * ToDouble(v[j * value_step + w]);
      for (int64_t j = 0; j < c.keys; ++j) {
        spread += p[size_t(j)] / sum * std::abs(ToDouble(v[j * value_step + w]) - want);
      }
      // A score is off by a few 2^-24 of its terms, a probability relatively by twice that and by its own
      // rounding (2^-9 in bf16; 2e-7 of exp2 and the sums in f32). What all share cancels, so the result
      // moves by that times the values' weighted deviation from it.
      const double relative = 8 * 0x1p-24 * (size + 4) + (sizeof(E) == 2 ? 1.1 * 0x1p-9 : 0);
      ExpectNear(out[i * value_step + w], want, 2 * relative * spread + 8 * 0x1p-24 * (std::abs(want) + 1),
                 "query " + std::to_string(i) + " channel " + std::to_string(w));
    }
    for (int64_t w = c.value_width; w < value_step; ++w) {
      EXPECT_TRUE(std::isnan(ToDouble(out[i * value_step + w]))) << "wrote between tokens";
    }
  }
  EXPECT_TRUE(out.GuardsHold());
  for (int64_t i = 0; i < guard; ++i) EXPECT_TRUE(std::isnan(scratch[bytes / 4 + i])) << "wrote past scratch";
  ::operator delete(scratch, std::align_val_t(64));
}

TEST(Attention, EverySizeUpTo70) {
  ForAll([]<class E>(const TypedKernels<E>& k, E) {
    for (int64_t n = 1; n <= 70; ++n) {
      CheckAttention(k, {n, 71 - n, n * 7 % 70 + 1, n * 11 % 70 + 1}, false);
      CheckAttention(k, {n, n % 32 + 1, n * 7 % 70 + 1, n * 11 % 70 + 1}, true);
    }
  });
}

TEST(Attention, TheModelsHeads) {
  ForAll([]<class E>(const TypedKernels<E>& k, E) {
    CheckAttention(k, {133, 200, 64, 64}, false);
    CheckAttention(k, {257, 257, 80, 80}, false);
    CheckAttention(k, {13, 65, 512, 512}, false);
    CheckAttention(k, {14, 14, 64, 64, 1, 0, 640}, true);
    CheckAttention(k, {25, 25, 64, 64, 1, 0, 640}, true);
    CheckAttention(k, {40, 32, 300, 200}, true);  // more channels and queries than one pass takes
    CheckAttention(k, {5, 1, 64, 64}, true);
  });
}

TEST(Attention, SharpAndHugeLogits) {
  ForAll([]<class E>(const TypedKernels<E>& k, E) {
    for (const bool few : {false, true}) {
      const int64_t keys = few ? 30 : 150;
      CheckAttention(k, {20, keys, 64, 64, 3.2}, few);    // logits of +-80
      CheckAttention(k, {20, keys, 64, 64, 1e3}, few);    // one key takes all, others underflow
      CheckAttention(k, {20, keys, 33, 17, 1e-20}, few);  // all alike
      CheckAttention(k, {20, keys, 64, 64, 1, 1e-30f}, few);
    }
  });
}

// The largest score comes last, or first: the running maximum must rescale, or must not.
TEST(Attention, RisingAndFallingScores) {
  ForAll([]<class E>(const TypedKernels<E>& k, E) {
    for (const double slope : {0.5, -0.5}) {
      for (const int64_t keys : {int64_t{31}, int64_t{200}}) {
        Buffer<E> q(1), key(keys), v(keys), out(1);
        q[0] = From<E>(1);
        double sum = 0, want = 0;
        for (int64_t j = 0; j < keys; ++j) {
          key[j] = From<E>(slope * double(j));
          v[j] = From<E>(double(j % 5));
          const double p = std::exp(ToDouble(key[j]) - (slope > 0 ? slope * double(keys - 1) : 0));
          sum += p;
          want += p * ToDouble(v[j]);
        }
        std::vector<float> memory(size_t(k.attention_scratch(1, keys, 1, 1)) / 4 + 16);
        float* scratch = memory.data();
        while (reinterpret_cast<uintptr_t>(scratch) % 64 != 0) ++scratch;
        const AttentionJob<E> job{q.data(), key.data(), v.data(), out.data(), 1, keys, 1,
                                  1,        1,          1,        1,          1, 1,    scratch};
        keys <= kFewKeys ? k.attention_few(job) : k.attention(job);
        // Values deviate by up to 4 from the result: bf16 probabilities move it by 4 * 2^-8 at most, f32 ones
        // by 1e-5.
        ExpectNear(out[0], want / sum, sizeof(E) == 2 ? 0x1p-6 : 1e-5, "slope " + std::to_string(slope));
      }
    }
  });
}

TEST(Attention, NanShows) {
  ForAll([]<class E>(const TypedKernels<E>& k, E) {
    std::mt19937 engine(6);
    Buffer<E> q(1), key(4), v(4), out(1);  // q stays NaN
    key.Fill(engine, 1);
    v.Fill(engine, 1);
    out[0] = 0;
    k.attention_few({q.data(), key.data(), v.data(), out.data(), 1, 4, 1, 1, 1, 1, 1, 1, 1, nullptr});
    EXPECT_TRUE(std::isnan(ToDouble(out[0])));
  });
}

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
