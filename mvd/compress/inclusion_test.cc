// Inclusion probabilities: closed forms, optimality conditions, and every other way to find the optimum.
#include "mvd/compress/inclusion.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>

#include "mvd/compress/compress_testing.h"

namespace mvd {
namespace {

using Vec = std::vector<double>;

struct Problem {
  Vec q;
  int64_t budget;
};

// Unsorted importances of every steepness, sizes and budgets, the paper's 38 and 11 among them.
std::vector<Problem> Problems() {
  std::vector<Problem> problems;
  uint64_t seed = 1;
  for (int64_t count : {1, 2, 3, 5, 8, 38}) {
    for (double steepness : {0.0, 0.1, 1.0, 2.0, 5.0}) {
      for (int64_t budget : {int64_t{1}, count / 4, count / 2, int64_t{11}, count - 1, count}) {
        if (budget < 1 || budget > count) continue;
        Vec q = Normals(seed++, 0, size_t(count));
        for (double& x : q) x = std::exp(steepness * x);
        problems.push_back({q, budget});
      }
    }
  }
  return problems;
}

// A4's objective with the best c for these p.
double Objective(const Vec& p, const Vec& q) {
  const double qq = std::inner_product(q.begin(), q.end(), q.begin(), 0.0);
  const double c = std::inner_product(p.begin(), p.end(), q.begin(), 0.0) / qq;
  double sum = 0;
  for (size_t i = 0; i < p.size(); ++i) sum += (p[i] - c * q[i]) * (p[i] - c * q[i]);
  return sum;
}

// The nearest point of {0 <= p <= 1, sum p = n}: a common shift, found by bisection, then clipping.
Vec Project(const Vec& x, int64_t budget) {
  double low = -1 - *std::max_element(x.begin(), x.end()), high = 1 - *std::min_element(x.begin(), x.end());
  Vec p(x.size());
  for (int step = 0; step < 100; ++step) {
    const double shift = (low + high) / 2;
    double sum = 0;
    for (size_t i = 0; i < x.size(); ++i) sum += p[i] = std::clamp(x[i] + shift, 0.0, 1.0);
    (sum < double(budget) ? low : high) = shift;
  }
  return p;
}

TEST(InclusionTest, AreProbabilitiesThatSumToTheBudget) {
  for (const auto& [q, budget] : Problems()) {
    const Inclusion r = SolveInclusion(q, budget);
    double sum = 0;
    for (double p : r.probabilities) {
      EXPECT_GE(p, 0);
      EXPECT_LE(p, 1);
      sum += p;
    }
    EXPECT_NEAR(sum, double(budget), 1e-12);  // 38 roundings of numbers up to 1
    EXPECT_LE(r.saturated, budget);
    for (int64_t i = 0; i < r.saturated; ++i) EXPECT_EQ(r.probabilities[size_t(r.order[size_t(i)])], 1);
  }
}

TEST(InclusionTest, UnsaturatedAreProportional) {
  const Vec q = {0.3, 0.5, 0.45, 0.7, 0.05};  // sum 2: with n = 2, c = 1
  const Inclusion r = SolveInclusion(q, 2);
  EXPECT_EQ(r.saturated, 0);
  EXPECT_EQ(r.half_beta, 0);
  EXPECT_NEAR(r.c, 1, 1e-15);
  for (size_t i = 0; i < q.size(); ++i) EXPECT_NEAR(r.probabilities[i], q[i], 1e-15);
}

// By hand, t = 2, n = 2: S = 2, L = 4, Q = 16, m = 2, k = 1, so det = 4 + 32 = 36, c = (2 + 8)/36 = 5/18,
// beta/2 = (8 - 16)/36 = -2/9, and each of the ones gets 5/18 + 4/18 = 1/2.
TEST(InclusionTest, SaturatedByHand) {
  const Inclusion r = SolveInclusion(Vec{1, 4, 1}, 2);
  EXPECT_EQ(r.saturated, 1);
  EXPECT_NEAR(r.c, 5.0 / 18, 1e-15);
  EXPECT_NEAR(r.half_beta, -2.0 / 9, 1e-15);
  EXPECT_NEAR(r.probabilities[0], 0.5, 1e-15);
  EXPECT_EQ(r.probabilities[1], 1);
  EXPECT_NEAR(r.probabilities[2], 0.5, 1e-15);
}

// A6 to A11: gamma = 0, delta_i = 2 (c q_i - p_i) - beta is 0 where p < 1 and never negative, c as A13 has
// it. The problem is convex, so this is the optimum. In units of the largest q; 1e-11 for sums of up to 38
// numbers that are up to 1e10 apart.
TEST(InclusionTest, MeetsTheOptimalityConditions) {
  int saturated = 0;
  for (const auto& [q, budget] : Problems()) {
    const Inclusion r = SolveInclusion(q, budget);
    const double qq = std::inner_product(q.begin(), q.end(), q.begin(), 0.0);
    const double pq = std::inner_product(q.begin(), q.end(), r.probabilities.begin(), 0.0);
    EXPECT_NEAR(r.c * qq / pq, 1, 1e-11);
    for (size_t i = 0; i < q.size(); ++i) {
      const double delta = 2 * (r.c * q[i] - r.probabilities[i] - r.half_beta);
      EXPECT_GE(delta, -1e-11);
      if (r.probabilities[i] < 1) {
        EXPECT_NEAR(delta, 0, 1e-11);
      }
    }
    saturated += r.saturated > 0;
  }
  EXPECT_GE(saturated, 30);  // or the conditions were hardly put to the test
}

// The supplement's own procedure, word for word: A35 for every t by Cramer's rule, the feasible one of least
// objective.
TEST(InclusionTest, IsTheBestOfAllT) {
  for (const auto& [q, budget] : Problems()) {
    const Inclusion r = SolveInclusion(q, budget);
    std::optional<Vec> best;
    for (int64_t t = 1; t <= budget; ++t) {
      double s = 0, l = 0, l2 = 0;
      for (size_t i = 0; i < q.size(); ++i) {
        const double value = q[size_t(r.order[i])];
        if (int64_t(i) + 1 < t) l += value, l2 += value * value;
        if (int64_t(i) + 1 >= t) s += value;
      }
      const double m = double(int64_t(q.size()) - t + 1), k = double(budget - t + 1), det = s * s + m * l2;
      const double c = (k * s + m * l) / det, b = (s * l - l2 * k) / det;
      Vec p(q.size());
      bool feasible = true;
      for (size_t i = 0; i < q.size(); ++i) {
        p[size_t(r.order[i])] = int64_t(i) + 1 < t ? 1 : c * q[size_t(r.order[i])] - b;
        feasible &= p[size_t(r.order[i])] >= -1e-12 && p[size_t(r.order[i])] <= 1 + 1e-12;
      }
      if (feasible && (!best || Objective(p, q) < Objective(*best, q))) best = p;
    }
    ASSERT_TRUE(best);
    // Two t of equal objective give the same p; the objective is blind to differences below the root of its
    // rounding.
    for (size_t i = 0; i < q.size(); ++i) EXPECT_NEAR(r.probabilities[i], (*best)[i], 1e-7);
  }
}

TEST(InclusionTest, ProjectedGradientFindsTheSame) {
  for (const auto& [q, budget] : Problems()) {
    if (q.size() > 8) continue;
    const double norm = std::sqrt(std::inner_product(q.begin(), q.end(), q.begin(), 0.0));
    Vec p(q.size(), double(budget) / double(q.size()));
    // Lipschitz constant 1, curvature along sum p = n at least 1/N: 400 steps shrink the error by e^-50.
    for (int step = 0; step < 400; ++step) {
      const double along = std::inner_product(p.begin(), p.end(), q.begin(), 0.0) / norm;
      for (size_t i = 0; i < q.size(); ++i) p[i] = along * q[i] / norm;
      p = Project(p, budget);
    }
    const Inclusion r = SolveInclusion(q, budget);
    for (size_t i = 0; i < q.size(); ++i) EXPECT_NEAR(r.probabilities[i], p[i], 1e-10);
  }
}

TEST(InclusionTest, NoRandomFeasiblePointIsBetter) {
  uint64_t seed = 0;
  for (const auto& [q, budget] : Problems()) {
    const Inclusion r = SolveInclusion(q, budget);
    const double least = Objective(r.probabilities, q);
    for (int trial = 0; trial < 20; ++trial) {
      // Far points, and near ones: a step of 0.001 round the solution, brought back into the set.
      Vec p = Normals(7, seed++, q.size());
      for (size_t i = 0; i < p.size(); ++i) p[i] = trial % 2 ? 0.5 + p[i] : r.probabilities[i] + 1e-3 * p[i];
      EXPECT_GE(Objective(Project(p, budget), q), least - 1e-12);
    }
  }
}

TEST(InclusionTest, FollowsPermutationsAndIgnoresScale) {
  Problem problem = {Normals(3, 0, 38), 11};
  for (double& x : problem.q) x = std::exp(2 * x);
  const Vec p = SolveInclusion(problem.q, problem.budget).probabilities;
  Vec turned = problem.q;
  std::rotate(turned.begin(), turned.begin() + 13, turned.end());
  std::reverse(turned.begin(), turned.end());
  Vec expected = p;
  std::rotate(expected.begin(), expected.begin() + 13, expected.end());
  std::reverse(expected.begin(), expected.end());
  EXPECT_EQ(SolveInclusion(turned, problem.budget).probabilities,
            expected);                    // the same sums in the same order
  for (double scale : {1e-250, 1e250}) {  // squares of these leave double
    Vec scaled = problem.q;
    for (double& x : scaled) x *= scale;
    const Vec same = SolveInclusion(scaled, problem.budget).probabilities;
    for (size_t i = 0; i < p.size(); ++i) EXPECT_NEAR(same[i], p[i], 1e-14);
  }
}

TEST(InclusionTest, TiesAndExtremes) {
  EXPECT_EQ(SolveInclusion(Vec{0.1, 7, 2}, 3).probabilities, Vec({1, 1, 1}));
  for (double p : SolveInclusion(Vec(7, 0.3), 3).probabilities) EXPECT_NEAR(p, 3.0 / 7, 1e-15);
  const Inclusion steep = SolveInclusion(Vec{1e-300, 1e300, 1e-300}, 2);
  EXPECT_EQ(steep.probabilities[1], 1);
  EXPECT_NEAR(steep.probabilities[0], 0.5, 1e-15);
  EXPECT_NEAR(steep.probabilities[2], 0.5, 1e-15);
  const Vec ties = SolveInclusion(Vec{0.2, 3, 0.2, 3, 1, 0.2, 1}, 6).probabilities;
  EXPECT_EQ(ties[1], ties[3]);
  EXPECT_EQ(ties[4], ties[6]);
  EXPECT_EQ(ties[0], ties[5]);
}

TEST(InclusionTest, RefusesWhatIsNoProblem) {
  const double inf = std::numeric_limits<double>::infinity();
  for (double bad : {0.0, -0.5, inf, std::nan("")}) {
    ExpectError(Exit::kBadInput, {"run.toml: importance 1 is ", "above 0"}, [&] {
      SolveInclusion(Vec{1, bad, 2}, 1, "run.toml");
    });
    ExpectError(Exit::kBadInput, {"importance 1"}, [&] { KeepMostImportant(Vec{1, bad, 2}, 1); });
  }
  for (int64_t budget : {-1, 0, 4})
    ExpectError(Exit::kBadInput, {StrCat("budget is ", budget), "1 to 3"}, [&] {
      SolveInclusion(Vec{1, 1, 2}, budget);
    });
  ExpectError(Exit::kBadInput, {"no importance values"}, [] { SolveInclusion({}, 1); });
}

TEST(InclusionTest, KeepsTheMostImportant) {
  EXPECT_EQ(KeepMostImportant(Vec{0.1, 0.9, 0.5, 0.9}, 2), std::vector<uint8_t>({0, 1, 0, 1}));
  EXPECT_EQ(KeepMostImportant(Vec{0.5, 0.5, 0.5}, 2),
            std::vector<uint8_t>({1, 1, 0}));  // the first of equals
}

// Not a bound: a figure for the log.
TEST(InclusionTest, PrintsItsTime) {
  Vec q = Normals(1, 0, 1000);
  for (double& x : q) x = std::exp(2 * x);
  const auto start = std::chrono::steady_clock::now();
  double sum = 0;
  for (int i = 0; i < 20; ++i) {
    const Inclusion r = SolveInclusion(q, 300);
    sum += r.probabilities[0] + InclusionGradient(q, 300, r, r.probabilities)[0];
  }
  const std::chrono::duration<double, std::milli> spent = std::chrono::steady_clock::now() - start;
  EXPECT_TRUE(std::isfinite(sum));
  std::printf("N = 1000, solution and gradient: %.3f ms\n", spent.count() / 20);
}

}  // namespace
}  // namespace mvd
