#include "mvd/measure/statistics.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <vector>

#include "mvd/base/check.h"

namespace mvd {
namespace {

std::vector<double> Ranks(std::span<const double> values) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return values[a] < values[b]; });
  std::vector<double> ranks(values.size());
  for (size_t i = 0; i < order.size();) {
    size_t end = i;
    while (end < order.size() && values[order[end]] == values[order[i]]) ++end;
    for (size_t k = i; k < end; ++k) ranks[order[k]] = double(i + end - 1) / 2;
    i = end;
  }
  return ranks;
}

// The median and the two ends of the middle 95 % of `resamples` draws.
struct Draws {
  double low, median, high;
};

Draws Draw(int64_t n, const std::function<double(std::span<const int64_t>)>& statistic, uint64_t seed,
           int resamples) {
  std::vector<int64_t> rows(static_cast<size_t>(n));
  std::mt19937_64 random(seed);  // its sequence is the standard's, so that intervals are the same everywhere
  std::vector<double> values;
  for (int i = 0; i < resamples; ++i) {
    for (int64_t& row : rows) row = int64_t(random() % uint64_t(n));
    values.push_back(statistic(rows));
  }
  std::sort(values.begin(), values.end());
  return {values[size_t(double(resamples) * 0.025)], values[values.size() / 2],
          values[size_t(double(resamples) * 0.975)]};
}

}  // namespace

Interval BootstrapDistance(int64_t n, const std::function<double(std::span<const int64_t> rows)>& statistic,
                           uint64_t seed, int resamples) {
  MVD_CHECK_GE(n, 1);
  std::vector<int64_t> rows(static_cast<size_t>(n));
  std::iota(rows.begin(), rows.end(), 0);
  const double value = std::max(0.0, statistic(rows));  // rounding may take it below
  const Draws draws = Draw(n, statistic, seed, resamples);
  const double scale = draws.median > 0 ? value / draws.median : 0;
  return {.value = value, .low = std::max(0.0, draws.low) * scale, .high = draws.high * scale, .count = n};
}

Interval MeanOf(std::span<const double> values, uint64_t seed) {
  if (values.empty()) return {};
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / double(values.size());
  const auto mean_of = [&](std::span<const int64_t> rows) {
    double sum = 0;
    for (int64_t row : rows) sum += values[size_t(row)];
    return sum / double(rows.size());
  };
  const Draws draws = Draw(int64_t(values.size()), mean_of, seed, kResamples);
  return {.value = mean, .low = draws.low, .high = draws.high, .count = int64_t(values.size())};
}

double Spearman(std::span<const double> x, std::span<const double> y) {
  MVD_CHECK_EQ(x.size(), y.size());
  const std::vector<double> a = Ranks(x), b = Ranks(y);
  const double middle = (double(x.size()) - 1) / 2;
  double ab = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    ab += (a[i] - middle) * (b[i] - middle);
    aa += (a[i] - middle) * (a[i] - middle), bb += (b[i] - middle) * (b[i] - middle);
  }
  return aa > 0 && bb > 0 ? ab / std::sqrt(aa * bb) : 0;
}

}  // namespace mvd
