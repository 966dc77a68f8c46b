#include "mvd/compress/inclusion.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "mvd/base/error.h"

namespace mvd {
namespace {

// Rounding alone may put a probability this far outside [0,1]: sums of N terms of size 1 in double, N <= 1e4.
constexpr double kSlack = 1e-12;

void CheckArguments(std::span<const double> importance, int64_t budget, const std::string& file) {
  const int64_t n = int64_t(importance.size());
  if (n == 0) ThrowBadInput(file, "no importance values, expected at least one");
  for (int64_t i = 0; i < n; ++i) {
    const double q = importance[size_t(i)];
    if (!(q > 0) || !std::isfinite(q))
      ThrowBadInput(file, "importance ", i, " is ", q, ", expected a finite number above 0");
  }
  if (budget < 1 || budget > n)
    ThrowBadInput(file, "budget is ", budget, ", expected 1 to ", n, ", the number of importance values");
}

std::vector<int64_t> ByFallingImportance(std::span<const double> importance) {
  std::vector<int64_t> order(importance.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](int64_t a, int64_t b) { return importance[size_t(a)] > importance[size_t(b)]; });
  return order;
}

// The 2 x 2 system A35 for one t. Importance is in units of the largest, so that no square overflows.
struct System {
  double free_sum = 0;           // sum of q_i, i >= t
  double saturated_sum = 0;      // sum of q_i, i < t
  double saturated_squares = 0;  // sum of q_i^2, i < t
  double free_count = 0;         // N-t+1
  double free_budget = 0;        // n-t+1

  double Determinant() const { return free_sum * free_sum + free_count * saturated_squares; }
  double C() const { return (free_budget * free_sum + free_count * saturated_sum) / Determinant(); }
  double HalfBeta() const {
    return (free_sum * saturated_sum - saturated_squares * free_budget) / Determinant();
  }
};

// q by falling order in units of the largest. A ratio below the smallest normal number would lose its digits
// and could become 0; raising it there changes no probability by more than that.
std::vector<double> Scaled(std::span<const double> importance, const std::vector<int64_t>& order) {
  const double largest = importance[size_t(order[0])];
  std::vector<double> q(order.size());
  for (size_t i = 0; i < q.size(); ++i) q[i] = std::max(importance[size_t(order[i])] / largest, 0x1p-1000);
  return q;
}

System SystemAt(const std::vector<double>& q, int64_t saturated, int64_t budget) {
  System s;
  for (size_t i = 0; i < size_t(saturated); ++i) s.saturated_sum += q[i], s.saturated_squares += q[i] * q[i];
  for (size_t i = q.size(); i-- > size_t(saturated);) s.free_sum += q[i];
  s.free_count = double(int64_t(q.size()) - saturated);
  s.free_budget = double(budget - saturated);
  return s;
}

// Suffix sums from the small end, the accurate direction.
std::vector<double> FreeSums(const std::vector<double>& q) {
  std::vector<double> sums(q.size());
  double sum = 0;
  for (size_t i = q.size(); i-- > 0;) sums[i] = sum += q[i];
  return sums;
}

// The least t whose solution of A35 is feasible. The supplement takes the feasible solution of least
// objective over all t; that is the first one: t+1 poses the problem of t with one more equality, p_t = 1, so
// the objective never falls with t. Some t <= n is feasible: the optimum's multipliers force p > 0 everywhere
// (lemma A2.1), which leaves room for n-1 ones at most unless n = N, and then t = N gives p_N = 1.
System FirstFeasible(const std::vector<double>& q, int64_t budget) {
  const std::vector<double> free_sums = FreeSums(q);
  System s;
  for (int64_t saturated = 0; saturated < budget; ++saturated) {
    s.free_sum = free_sums[size_t(saturated)];
    s.free_count = double(int64_t(q.size()) - saturated);
    s.free_budget = double(budget - saturated);
    const double c = s.C(), half_beta = s.HalfBeta();
    // c > 0: the largest and the smallest free q bound all others.
    if (c * q[size_t(saturated)] - half_beta <= 1 + kSlack && c * q.back() - half_beta >= -kSlack) return s;
    s.saturated_sum += q[size_t(saturated)];
    s.saturated_squares += q[size_t(saturated)] * q[size_t(saturated)];
  }
  MVD_CHECK(false, "no t up to ", budget, " of ", q.size(), " gives probabilities");
  return s;
}

}  // namespace

Inclusion SolveInclusion(std::span<const double> importance, int64_t budget, const std::string& file) {
  CheckArguments(importance, budget, file);
  Inclusion result;
  result.order = ByFallingImportance(importance);
  const std::vector<double> q = Scaled(importance, result.order);
  const System s = FirstFeasible(q, budget);
  result.saturated = budget - int64_t(s.free_budget);
  result.half_beta = s.HalfBeta();
  const double c = s.C();
  result.c = c / importance[size_t(result.order[0])];
  result.probabilities.resize(q.size());
  for (size_t i = 0; i < q.size(); ++i) {
    const double p = std::clamp(c * q[i] - result.half_beta, 0.0, 1.0);
    result.probabilities[size_t(result.order[i])] = int64_t(i) < result.saturated ? 1 : p;
  }
  return result;
}

std::vector<double> InclusionGradient(std::span<const double> importance, int64_t budget,
                                      const Inclusion& inclusion, std::span<const double> gradient) {
  MVD_CHECK_EQ(importance.size(), inclusion.order.size());
  MVD_CHECK_EQ(gradient.size(), importance.size());
  const std::vector<double> q = Scaled(importance, inclusion.order);
  const System s = SystemAt(q, inclusion.saturated, budget);
  const double d = s.Determinant(), c = s.C(), b = s.HalfBeta();
  double by_c = 0, by_b = 0;  // dL/dc and dL/d(half beta), p_i = c q_i - b for every i
  for (size_t i = 0; i < q.size(); ++i) {
    const double g = gradient[size_t(inclusion.order[i])];
    by_c += g * q[i];
    by_b -= g;
  }
  // c and b are quotients over d: the derivative of x/d is (x' - (x/d) d')/d.
  const double unit = importance[size_t(inclusion.order[0])];
  std::vector<double> result(q.size());
  for (size_t j = 0; j < q.size(); ++j) {
    double dc, db;
    if (int64_t(j) < inclusion.saturated) {
      const double dd = 2 * s.free_count * q[j];
      dc = (s.free_count - c * dd) / d;
      db = (s.free_sum - 2 * q[j] * s.free_budget - b * dd) / d;
    } else {
      const double dd = 2 * s.free_sum;
      dc = (s.free_budget - c * dd) / d;
      db = (s.saturated_sum - b * dd) / d;
    }
    const size_t at = size_t(inclusion.order[j]);
    // p does not change when all q are scaled alike, so the unit counts as a constant.
    result[at] = (gradient[at] * c + by_c * dc + by_b * db) / unit;
  }
  return result;
}

std::vector<uint8_t> KeepMostImportant(std::span<const double> importance, int64_t budget,
                                       const std::string& file) {
  CheckArguments(importance, budget, file);
  const std::vector<int64_t> order = ByFallingImportance(importance);
  std::vector<uint8_t> gates(importance.size(), 0);
  for (size_t i = 0; i < size_t(budget); ++i) gates[size_t(order[i])] = 1;
  return gates;
}

}  // namespace mvd
