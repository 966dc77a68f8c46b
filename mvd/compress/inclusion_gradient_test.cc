// The gradient of inclusion probabilities against finite differences and against what must cancel.
#include <algorithm>
#include <cmath>

#include "mvd/compress/compress_testing.h"
#include "mvd/compress/inclusion.h"

namespace mvd {
namespace {

using Vec = std::vector<double>;

Vec Importance(uint64_t seed, size_t count, double steepness) {
  Vec q = Normals(seed, 0, count);
  for (double& x : q) x = std::exp(steepness * x);
  return q;
}

// The i-th probability as the gradient sees it: the closed form, not clamped where it is saturated.
double Unclamped(const Inclusion& r, const Vec& q, size_t i) { return r.c * q[i] - r.half_beta; }

// Central differences of every probability (unsaturated: the solver's own output; saturated: the closed form)
// by every importance. Steps stay within one t. h = 1e-5 q: truncation 1e-10 and rounding 1e-16/h, so 1e-6.
TEST(InclusionGradientTest, EqualsFiniteDifferences) {
  int with_saturated = 0, compared = 0;
  for (uint64_t seed = 0; seed < 12; ++seed) {
    for (const auto& [count, budget] : {std::pair<size_t, int64_t>{5, 2}, {9, 4}, {38, 11}}) {
      const Vec q = Importance(seed, count, seed % 3 == 0 ? 0.2 : 1.5);
      const Inclusion r = SolveInclusion(q, budget);
      with_saturated += r.saturated > 0;
      for (size_t i = 0; i < count; ++i) {
        Vec unit(count, 0);
        unit[i] = 1;
        const Vec row = InclusionGradient(q, budget, r, unit);
        for (size_t j = 0; j < count; ++j) {
          const double h = 1e-5 * q[j];
          Vec up = q, down = q;
          up[j] += h, down[j] -= h;
          const Inclusion above = SolveInclusion(up, budget), below = SolveInclusion(down, budget);
          if (above.saturated != r.saturated || below.saturated != r.saturated) continue;  // a kink between
          const bool free = r.probabilities[i] < 1;
          const double difference = free ? above.probabilities[i] - below.probabilities[i]
                                         : Unclamped(above, up, i) - Unclamped(below, down, i);
          const double slope = difference / (up[j] - down[j]);
          EXPECT_NEAR(row[j] * q[j], slope * q[j], 1e-6 * std::max(1.0, std::abs(slope * q[j])))
              << "p " << i << " by q " << j << ", saturated " << r.saturated;
          ++compared;
        }
      }
    }
  }
  EXPECT_GE(with_saturated, 15);
  EXPECT_GE(compared, 15000);
}

TEST(InclusionGradientTest, IsLinearInWhatComesIn) {
  const Vec q = Importance(4, 20, 1.5), g = Normals(5, 0, 20);
  const Inclusion r = SolveInclusion(q, 7);
  Vec sum(20, 0);
  for (size_t i = 0; i < 20; ++i) {
    Vec unit(20, 0);
    unit[i] = g[i];
    const Vec part = InclusionGradient(q, 7, r, unit);
    for (size_t j = 0; j < 20; ++j) sum[j] += part[j];
  }
  const Vec whole = InclusionGradient(q, 7, r, g);
  for (size_t j = 0; j < 20; ++j) EXPECT_NEAR(whole[j], sum[j], 1e-12);
}

// p is blind to a common scale of q, so q and the gradient are orthogonal; and the free probabilities have a
// fixed sum, so a gradient that is 1 on each of them moves nothing.
TEST(InclusionGradientTest, KnowsWhatCannotChange) {
  for (uint64_t seed = 0; seed < 10; ++seed) {
    const Vec q = Importance(seed, 38, 1.5), g = Normals(seed + 100, 0, 38);
    const Inclusion r = SolveInclusion(q, 11);
    const Vec gradient = InclusionGradient(q, 11, r, g);
    double along = 0, size = 0;
    Vec on_free(38);
    for (size_t i = 0; i < 38; ++i) {
      along += gradient[i] * q[i];
      size += std::abs(gradient[i] * q[i]);
      on_free[i] = r.probabilities[i] < 1;
    }
    EXPECT_NEAR(along, 0, 1e-12 * size);
    for (double x : InclusionGradient(q, 11, r, on_free)) EXPECT_NEAR(x, 0, 1e-11);
  }
}

// A block at probability 1 that the loss wants out must lose importance, or it could never be pruned again.
TEST(InclusionGradientTest, ReachesSaturatedBlocks) {
  const Vec q = {1, 4, 1};
  const Inclusion r = SolveInclusion(q, 2);
  ASSERT_EQ(r.saturated, 1);
  EXPECT_GT(InclusionGradient(q, 2, r, Vec{0, 1, 0})[1], 0.01);
}

// Unsaturated, p = n q / S: dp_i/dq_j = n (delta_ij S - q_i) / S^2.
TEST(InclusionGradientTest, UnsaturatedClosedForm) {
  const Vec q = {0.3, 0.5, 0.45, 0.7, 0.05};
  const Inclusion r = SolveInclusion(q, 2);
  for (size_t i = 0; i < q.size(); ++i) {
    Vec unit(q.size(), 0);
    unit[i] = 1;
    const Vec row = InclusionGradient(q, 2, r, unit);
    for (size_t j = 0; j < q.size(); ++j) EXPECT_NEAR(row[j], 2 * ((i == j ? 2.0 : 0.0) - q[i]) / 4, 1e-14);
  }
}

}  // namespace
}  // namespace mvd
