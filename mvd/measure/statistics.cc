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

}  // namespace

Interval Bootstrap(int64_t n, const std::function<double(std::span<const int64_t> rows)>& statistic,
                   uint64_t seed, int resamples) {
  MVD_CHECK_GE(n, 1);
  std::vector<int64_t> rows(static_cast<size_t>(n));
  std::iota(rows.begin(), rows.end(), 0);
  Interval result{.value = statistic(rows), .low = 0, .high = 0, .count = n};
  std::mt19937_64 random(seed);  // its sequence is the standard's, so that intervals are the same everywhere
  std::vector<double> values;
  for (int i = 0; i < resamples; ++i) {
    for (int64_t& row : rows) row = int64_t(random() % uint64_t(n));
    values.push_back(statistic(rows));
  }
  std::sort(values.begin(), values.end());
  const double bias = values[values.size() / 2] - result.value;
  result.low = values[size_t(double(resamples) * 0.025)] - bias;
  result.high = values[size_t(double(resamples) * 0.975)] - bias;
  return result;
}

Interval MeanOf(std::span<const double> values, uint64_t seed) {
  if (values.empty()) return {};
  return Bootstrap(
      int64_t(values.size()),
      [&](std::span<const int64_t> rows) {
        double sum = 0;
        for (int64_t row : rows) sum += values[size_t(row)];
        return sum / double(rows.size());
      },
      seed);
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
