// The sampler: fixed size always, each block as often as its probability says.
#include "mvd/compress/brewer.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "mvd/compress/compress_testing.h"
#include "mvd/compress/inclusion.h"

namespace mvd {
namespace {

using Vec = std::vector<double>;

Vec Probabilities(uint64_t seed, size_t count, int64_t budget, double steepness) {
  Vec q = Normals(seed, 0, count);
  for (double& x : q) x = std::exp(steepness * x);
  return SolveInclusion(q, budget).probabilities;
}

int64_t Size(const std::vector<uint8_t>& gates) {
  return std::accumulate(gates.begin(), gates.end(), int64_t{0});
}

// 5 standard deviations of a binomial: by chance once in 1.7 million blocks, and the seed is fixed.
void ExpectFrequencies(const Vec& p, int64_t budget, uint64_t seed) {
  constexpr int kDraws = 40000;
  std::vector<int> hits(p.size(), 0);
  for (int draw = 0; draw < kDraws; ++draw) {
    const std::vector<uint8_t> gates = BrewerSample(p, seed, uint64_t(draw));
    ASSERT_EQ(Size(gates), budget);
    for (size_t i = 0; i < p.size(); ++i) hits[i] += gates[i];
  }
  for (size_t i = 0; i < p.size(); ++i) {
    const double sigma = std::sqrt(p[i] * (1 - p[i]) / kDraws);
    EXPECT_NEAR(hits[i] / double(kDraws), p[i], 5 * sigma) << "block " << i;
  }
}

TEST(BrewerTest, FrequenciesAreTheProbabilities) {
  ExpectFrequencies(Probabilities(1, 38, 11, 0.2), 11, 1);
  ExpectFrequencies(Probabilities(2, 38, 11, 2.0), 11, 2);
  ExpectFrequencies(Probabilities(3, 38, 4, 1.0), 4, 3);
  ExpectFrequencies({0.9, 0.05, 0.05, 0.95, 0.05}, 2, 4);  // far from what sampling with replacement gives
  ExpectFrequencies({0.5, 0.5, 0.5, 0.5, 1, 0}, 3, 5);
}

// n = 2 by hand: the procedure makes the pair {i,j} with probability proportional to
// p_i p_j ((1-p_i)^-1 + (1-p_j)^-1) (m = 2 and m - p_i at the first draw), which fixes all pairs.
TEST(BrewerTest, PairsAreBrewers) {
  const Vec p = {0.8, 0.5, 0.4, 0.3};
  constexpr int kDraws = 40000;
  double expected[4][4] = {}, total = 0;
  for (int i = 0; i < 4; ++i) {
    for (int j = i + 1; j < 4; ++j) {
      // First i then j: p_i (2-p_i)/(2-2p_i) times p_j/(2-p_i); and the other way round.
      expected[i][j] = p[size_t(i)] * p[size_t(j)] * (0.5 / (1 - p[size_t(i)]) + 0.5 / (1 - p[size_t(j)]));
      total += expected[i][j];
    }
  }
  int hits[4][4] = {};
  for (int draw = 0; draw < kDraws; ++draw) {
    const std::vector<uint8_t> gates = BrewerSample(p, 11, uint64_t(draw));
    for (int i = 0; i < 4; ++i)
      for (int j = i + 1; j < 4; ++j) hits[i][j] += gates[size_t(i)] && gates[size_t(j)];
  }
  for (int i = 0; i < 4; ++i) {
    for (int j = i + 1; j < 4; ++j) {
      const double want = expected[i][j] / total, sigma = std::sqrt(want * (1 - want) / kDraws);
      EXPECT_NEAR(hits[i][j] / double(kDraws), want, 5 * sigma) << i << "," << j;
    }
  }
}

TEST(BrewerTest, AlwaysTheSameNumber) {
  for (uint64_t seed = 0; seed < 300; ++seed) {
    const size_t count = 1 + seed % 40;
    const int64_t budget = 1 + int64_t(seed * 7 % count);
    for (double steepness : {0.0, 1.0, 8.0}) {
      const Vec p = Probabilities(seed, count, budget, steepness);
      const std::vector<uint8_t> gates = BrewerSample(p, seed, 0);
      EXPECT_EQ(Size(gates), budget);
      for (size_t i = 0; i < count; ++i) {
        if (p[i] == 1) {
          EXPECT_EQ(gates[i], 1);
        }
      }
    }
  }
  EXPECT_EQ(BrewerSample(Vec{1, 0, 1}, 1, 1), std::vector<uint8_t>({1, 0, 1}));
  EXPECT_EQ(Size(BrewerSample(Vec{0, 0}, 1, 1)), 0);
  const double almost = 1 - 1e-13;  // nearer to certain than double can tell apart
  EXPECT_EQ(Size(BrewerSample(Vec{almost, almost, 2e-13}, 1, 1)), 2);
  EXPECT_EQ(Size(BrewerSample(Vec{1 - 1e-11, 1 - 1e-11, 2e-11}, 1, 1)), 2);
}

TEST(BrewerTest, IsAFunctionOfSeedAndDraw) {
  const Vec p = Probabilities(1, 38, 11, 1.0);
  int differ_by_draw = 0, differ_by_seed = 0;
  for (uint64_t draw = 0; draw < 50; ++draw) {
    EXPECT_EQ(BrewerSample(p, 9, draw), BrewerSample(p, 9, draw));
    differ_by_draw += BrewerSample(p, 9, draw) != BrewerSample(p, 9, draw + 1);
    differ_by_seed += BrewerSample(p, 9, draw) != BrewerSample(p, uint64_t{9} << 32, draw);
  }
  EXPECT_GE(differ_by_draw, 45);
  EXPECT_GE(differ_by_seed, 45);
}

TEST(BrewerTest, RefusesWhatAreNoProbabilities) {
  EXPECT_THROW(BrewerSample(Vec{0.5, 1.5}, 1, 1), InternalError);
  EXPECT_THROW(BrewerSample(Vec{-0.5, 0.5}, 1, 1), InternalError);
  EXPECT_THROW(BrewerSample(Vec{0.5, std::nan("")}, 1, 1), InternalError);
  EXPECT_THROW(BrewerSample(Vec{0.5, 0.7}, 1, 1), InternalError);
}

}  // namespace
}  // namespace mvd
