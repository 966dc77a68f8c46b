// Figures with intervals.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

namespace mvd {

struct Interval {
  double value = 0, low = 0, high = 0;
  int64_t count = 0;  // of clips or pictures behind it
};

inline constexpr int kResamples = 1000;

// The percentile bootstrap's interval of 95 % (Efron 1979) of a distance, which is 0 or more: `statistic` of
// rows 0..n-1, and of `resamples` draws of n rows with replacement, scaled so that their median is that
// value: draws repeat rows, which alone makes a distance between sets larger. So the lower end is never below
// 0. The same seed gives the same interval.
Interval BootstrapDistance(int64_t n, const std::function<double(std::span<const int64_t> rows)>& statistic,
                           uint64_t seed = 0, int resamples = kResamples);
// The percentile bootstrap's interval of 95 % of a mean; it lies between the smallest value and the largest.
// Without values everything is 0.
Interval MeanOf(std::span<const double> values, uint64_t seed = 0);

// Spearman's rank correlation; ties have their mean rank. 0 where either side is constant.
double Spearman(std::span<const double> x, std::span<const double> y);

}  // namespace mvd
