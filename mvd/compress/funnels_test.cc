// Funnels of attention layers: exact at full width, Eckart-Young below it.
#include "mvd/compress/funnels.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "mvd/compress/compress_testing.h"
#include "mvd/models/unet_layout.h"

namespace mvd {
namespace {

// Products are compared relative to their own norm. Weights, funnels and merged weights are each rounded to
// f32 (6e-8 an element) and the funnels carry the condition number of a head's weights, some tens for normal
// ones.
constexpr double kRounding = 1e-5;

Tensor FromMat(const Mat& m) {
  Tensor t({m.rows, m.columns});
  std::copy(m.data.begin(), m.data.end(), t.f32().begin());
  return t;
}

// Orthonormal columns by Gram-Schmidt, twice for the last digits.
Mat Orthonormal(int64_t rows, int64_t columns, uint64_t seed) {
  Mat q(rows, columns);
  q.data = Normals(seed, 0, q.data.size());
  for (int64_t c = 0; c < columns; ++c) {
    for (int64_t before = 0; before < 2 * c; ++before) {
      double dot = 0;
      for (int64_t r = 0; r < rows; ++r) dot += q(r, c) * q(r, before % c);
      for (int64_t r = 0; r < rows; ++r) q(r, c) -= dot * q(r, before % c);
    }
    double norm = 0;
    for (int64_t r = 0; r < rows; ++r) norm += q(r, c) * q(r, c);
    for (int64_t r = 0; r < rows; ++r) q(r, c) /= std::sqrt(norm);
  }
  return q;
}

Mat DiagonalTimes(const std::vector<double>& d, Mat m) {
  for (int64_t r = 0; r < m.rows; ++r)
    for (int64_t c = 0; c < m.columns; ++c) m(r, c) *= d[size_t(r)];
  return m;
}

// Each head's product W_q^T W_k, before and after.
double QueryKeyError(const Tensor& q, const Tensor& k, const Funnels& f, int64_t heads, int64_t h) {
  const int64_t d = q.shape()[0] / heads, width = f.first.shape()[1];
  const Tensor mq = MergeBehind(f.first, q), mk = MergeBehind(f.second, k);
  return SquaredDistance(Transposed(Rows(q, h * d, d)) * Rows(k, h * d, d),
                         Transposed(Rows(mq, h * width, width)) * Rows(mk, h * width, width));
}

TEST(FunnelsTest, QueryKeyIsExactAtFullWidth) {
  for (const auto& [heads, d, in] : {std::array<int64_t, 3>{3, 8, 24}, {1, 5, 7}, {2, 8, 5}, {2, 1, 4}}) {
    const Tensor q = NormalTensor({heads * d, in}, 1), k = NormalTensor({heads * d, in}, 2);
    const Funnels f = QueryKeyFunnels(Layer(q), Layer(k), heads, 1);
    EXPECT_EQ(f.first.shape(), Shape({heads, d, d}));
    EXPECT_EQ(f.second.shape(), Shape({heads, d, d}));
    for (int64_t h = 0; h < heads; ++h) {
      const Mat product = Transposed(Rows(q, h * d, d)) * Rows(k, h * d, d);
      EXPECT_LE(QueryKeyError(q, k, f, heads, h), kRounding * kRounding * SquaredNorm(product));
    }
  }
}

// W_q^T = Q1 D M and W_k^T = Q2 M^-T, so that the product is Q1 D Q2^T: its singular values are D, by
// construction, and the error at any width is what D loses.
TEST(FunnelsTest, QueryKeyLosesTheSmallestSingularValues) {
  constexpr int64_t kD = 8, kIn = 20;
  const std::vector<double> spectrum = {5, 3, 2, 1.5, 1, 0.5, 0.25, 0.125};
  Mat lower(kD, kD), inverse(kD, kD);  // unit lower triangular and its inverse, by forward substitution
  const std::vector<double> entries = Normals(5, 0, kD * kD);
  for (int64_t r = 0; r < kD; ++r) {
    lower(r, r) = inverse(r, r) = 1;
    for (int64_t c = 0; c < r; ++c) lower(r, c) = 0.5 * entries[size_t(r * kD + c)];
    for (int64_t c = 0; c < r; ++c)
      for (int64_t i = 0; i < r; ++i) inverse(r, c) -= lower(r, i) * inverse(i, c);
  }
  const Tensor q = FromMat(Transposed(lower) * DiagonalTimes(spectrum, Transposed(Orthonormal(kIn, kD, 3))));
  const Tensor k = FromMat(inverse * Transposed(Orthonormal(kIn, kD, 4)));
  for (int64_t width = 1; width <= kD; ++width) {
    const Funnels f = QueryKeyFunnels(Layer(q), Layer(k), 1, double(width) / kD);
    ASSERT_EQ(f.first.shape(), Shape({1, width, kD}));
    double lost = 0;
    for (int64_t i = width; i < kD; ++i) lost += spectrum[size_t(i)] * spectrum[size_t(i)];
    EXPECT_NEAR(std::sqrt(QueryKeyError(q, k, f, 1, 0)), std::sqrt(lost), kRounding * 5) << width;
    for (size_t i = 0; i < kD; ++i) EXPECT_NEAR(f.singular_values[i], spectrum[i], kRounding * 5);
  }
}

TEST(FunnelsTest, HalvesAreBalanced) {
  const Tensor q = NormalTensor({8, 20}, 1, 100), k = NormalTensor({8, 20}, 2, 0.01);
  const Funnels f = QueryKeyFunnels(Layer(q), Layer(k), 1, 0.5);
  const Mat left = Rows(MergeBehind(f.first, q), 0, 4), right = Rows(MergeBehind(f.second, k), 0, 4);
  const Mat gram_left = left * Transposed(left), gram_right = right * Transposed(right);
  for (int64_t r = 0; r < 4; ++r) {
    for (int64_t c = 0; c < 4; ++c) {  // both are diag(kept singular values)
      const double want = r == c ? f.singular_values[size_t(r)] : 0;
      EXPECT_NEAR(gram_left(r, c), want, kRounding * f.singular_values[0]);
      EXPECT_NEAR(gram_right(r, c), want, kRounding * f.singular_values[0]);
    }
  }
}

TEST(FunnelsTest, ValueOutput) {
  constexpr int64_t kHeads = 3, kD = 8, kIn = 20, kOut = 11;
  const Tensor v = NormalTensor({kHeads * kD, kIn}, 1), o = NormalTensor({kOut, kHeads * kD}, 2);
  for (double factor : {1.0, 0.5, 0.3, 0.01}) {
    const Funnels f = ValueOutputFunnels(Layer(v), Layer(o), kHeads, factor);
    const int64_t width = FunnelWidth(kD, factor);
    ASSERT_EQ(f.first.shape(), Shape({kHeads, width, kD}));
    ASSERT_EQ(f.second.shape(), Shape({kHeads, kD, width}));
    const Tensor mv = MergeBehind(f.first, v), mo = MergeBefore(o, f.second);
    ASSERT_EQ(mv.shape(), Shape({kHeads * width, kIn}));
    ASSERT_EQ(mo.shape(), Shape({kOut, kHeads * width}));
    for (int64_t h = 0; h < kHeads; ++h) {
      const Mat product = Columns(o, h * kD, kD) * Rows(v, h * kD, kD);
      const Mat thin = Columns(mo, h * width, width) * Rows(mv, h * width, width);
      double all = 0, lost = 0;
      for (int64_t i = 0; i < kD; ++i) {
        const double s = f.singular_values[size_t(h * kD + i)];
        all += s * s;
        if (i >= width) lost += s * s;
      }
      EXPECT_NEAR(all / SquaredNorm(product), 1, 1e-6);  // no singular value is missing or invented
      EXPECT_NEAR(std::sqrt(SquaredDistance(product, thin)), std::sqrt(lost), kRounding * std::sqrt(all));
      // Merged equals unmerged: W_o F2 F1 W_v.
      const Mat unmerged =
          Columns(o, h * kD, kD) * Head(f.second, h) * Head(f.first, h) * Rows(v, h * kD, kD);
      EXPECT_LE(SquaredDistance(unmerged, thin), 1e-12 * all);
    }
  }
}

// No other pair of funnels does better, near or far.
TEST(FunnelsTest, ValueOutputIsOptimal) {
  constexpr int64_t kD = 6, kWidth = 3;
  const Tensor v = NormalTensor({kD, 9}, 1), o = NormalTensor({7, kD}, 2);
  const Funnels f = ValueOutputFunnels(Layer(v), Layer(o), 1, 0.5);
  const Mat wv = Rows(v, 0, kD), wo = Columns(o, 0, kD), product = wo * wv;
  const double least = SquaredDistance(product, wo * Head(f.second, 0) * Head(f.first, 0) * wv);
  for (uint64_t trial = 0; trial < 200; ++trial) {
    Mat first = Head(f.first, 0), second = Head(f.second, 0);
    const std::vector<double> noise = Normals(trial, 1, 2 * kD * kWidth);
    const double size = trial % 2 ? 1 : 0.01;
    for (size_t i = 0; i < first.data.size(); ++i) first.data[i] += size * noise[i];
    for (size_t i = 0; i < second.data.size(); ++i) second.data[i] += size * noise[first.data.size() + i];
    EXPECT_GE(SquaredDistance(product, wo * second * first * wv), least * (1 - 1e-6));
  }
}

// Dead and repeated channels have no inverse. The funnels stay finite and moderate, the product exact.
TEST(FunnelsTest, RankDeficientWeights) {
  constexpr int64_t kD = 8, kIn = 20;
  for (double noise : {0.0, 1e-9, 1e-8}) {
    Tensor q = NormalTensor({kD, kIn}, 1);
    const Tensor k = NormalTensor({kD, kIn}, 2);
    for (int64_t i = 0; i < kIn; ++i) {
      float* row = q.f32().data() + i;
      row[0] = float(noise) * row[0];                  // a dead channel
      row[3 * kIn] = row[2 * kIn];                     // a repeated one
      row[5 * kIn] = 2 * row[6 * kIn] - row[1 * kIn];  // a mixture
    }
    const Mat product = Transposed(Rows(q, 0, kD)) * Rows(k, 0, kD);
    for (const bool swapped : {false, true}) {
      const Tensor &first = swapped ? k : q, &second = swapped ? q : k;
      const Funnels f = QueryKeyFunnels(Layer(first), Layer(second), 1, 1);
      EXPECT_LE(QueryKeyError(first, second, f, 1, 0), kRounding * kRounding * SquaredNorm(product));
      for (const Tensor* funnel : {&f.first, &f.second})
        for (float x : funnel->f32()) EXPECT_LE(std::abs(x), 100);  // NaN fails too
      for (size_t i = 5; i < kD; ++i) EXPECT_LE(f.singular_values[i], 1e-6 * f.singular_values[0]);
    }
  }
  const Tensor zero = Tensor::Zeros({kD, kIn});
  const Funnels f = QueryKeyFunnels(Layer(zero), Layer(zero), 2, 0.5);
  for (float x : f.first.f32()) EXPECT_EQ(x, 0);
}

// A channel that is weak but counts: the split into roots lets funnels grow with the root of the condition
// number alone, 1e3 here, so f32 still holds them to 1e-4 of the product.
TEST(FunnelsTest, IllConditionedWeights) {
  constexpr int64_t kD = 8, kIn = 20;
  Tensor q = NormalTensor({kD, kIn}, 1);
  const Tensor k = NormalTensor({kD, kIn}, 2);
  for (int64_t i = 0; i < kIn; ++i) q.f32()[size_t(i)] *= 1e-6f;
  const Mat product = Transposed(Rows(q, 0, kD)) * Rows(k, 0, kD);
  const Funnels f = QueryKeyFunnels(Layer(q), Layer(k), 1, 1);
  EXPECT_LE(QueryKeyError(q, k, f, 1, 0), 1e-8 * SquaredNorm(product));
  for (const Tensor* funnel : {&f.first, &f.second})
    for (float x : funnel->f32()) EXPECT_LE(std::abs(x), 1e4);
}

TEST(FunnelsTest, TakesWeightsOfAnyFloatingType) {
  const Tensor q = ConvertTo(NormalTensor({8, 20}, 1), DType::kBF16),
               k = ConvertTo(NormalTensor({8, 20}, 2), DType::kF16);
  const Tensor q32 = ConvertTo(q, DType::kF32), k32 = ConvertTo(k, DType::kF32);
  const Funnels a = QueryKeyFunnels(Layer(q), Layer(k), 2, 0.5),
                b = QueryKeyFunnels(Layer(q32), Layer(k32), 2, 0.5);
  EXPECT_TRUE(std::ranges::equal(a.first.f32(), b.first.f32()));
  EXPECT_TRUE(std::ranges::equal(a.second.f32(), b.second.f32()));
  EXPECT_TRUE(std::ranges::equal(MergeBehind(a.first, q).f32(), MergeBehind(a.first, q32).f32()));
}

TEST(FunnelsTest, RefusesWhatDoesNotFit) {
  const Tensor q = NormalTensor({8, 20}, 1), k = NormalTensor({6, 20}, 2), cube = NormalTensor({8, 4, 5}, 3);
  const LayerWeight good = Layer(q, "to_q.weight");
  for (double factor : {0.0, -1.0, 1.5, std::nan("")}) {
    ExpectError(Exit::kUsage, {"fun-factor is ", "at most 1"},
                [&] { QueryKeyFunnels(good, good, 2, factor); });
    ExpectError(Exit::kUsage, {"fun-factor"}, [&] { FunnelWidth(64, factor); });
    ExpectError(Exit::kUsage, {"fun-factor"}, [&] { ConvFunnelWidth(64, factor); });
  }
  ExpectError(Exit::kBadInput, {"model.safetensors: tensor 'to_k.weight' has shape (6,20), expected (8,in)"},
              [&] { QueryKeyFunnels(good, Layer(k, "to_k.weight"), 2, 0.5); });
  ExpectError(Exit::kBadInput, {"to_q.weight", "(8,20)", "3 heads"},
              [&] { QueryKeyFunnels(good, good, 3, 0.5); });
  ExpectError(Exit::kBadInput, {"'cube'", "a matrix"},
              [&] { QueryKeyFunnels(Layer(cube, "cube"), good, 2, 0.5); });
  ExpectError(Exit::kBadInput, {"to_q.weight", "(out,8)"}, [&] { ValueOutputFunnels(good, good, 2, 0.5); });
  ExpectError(Exit::kBadInput, {"'cube'"}, [&] { LowRankFactors(Layer(cube, "cube"), 1); });
  for (int64_t rank : {0, 9})
    ExpectError(Exit::kUsage, {"rank is ", "1 to 8"}, [&] { LowRankFactors(good, rank); });
  Tensor bad = NormalTensor({8, 20}, 1);
  for (float x : {std::numeric_limits<float>::infinity(), std::nanf("")}) {
    bad.f32()[21] = x;
    ExpectError(Exit::kBadInput, {"'bad'", "element 21", "finite"},
                [&] { QueryKeyFunnels(good, Layer(bad, "bad"), 2, 0.5); });
  }
  const Tensor empty({8, 0});
  ExpectError(Exit::kBadInput, {"'empty'", "(8,0)"}, [&] {
    LowRankFactors(Layer(q, "q"), 1), QueryKeyFunnels(Layer(empty, "empty"), good, 2, 0.5);
  });
  EXPECT_THROW(MergeBehind(NormalTensor({2, 2, 3}, 1), q), InternalError);  // 6 channels, not 8
  EXPECT_THROW(MergeBefore(q, NormalTensor({2, 3, 2}, 1)), InternalError);
}

}  // namespace
}  // namespace mvd
