#include "mvd/exec/metrics.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "mvd/base/check.h"

namespace mvd {

ErrorMetrics Measure(std::span<const float> got, std::span<const float> want) {
  MVD_CHECK_EQ(got.size(), want.size());
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  double error = 0, got_squares = 0, want_squares = 0, dot = 0, max_abs = 0;
  for (size_t i = 0; i < want.size(); ++i) {
    const double g = got[i], w = want[i];
    if (!std::isfinite(g) || !std::isfinite(w))
      return {.rel_rms = kInfinity, .max_abs = kInfinity, .cosine = 0};
    error += (g - w) * (g - w);
    got_squares += g * g;
    want_squares += w * w;
    dot += g * w;
    max_abs = std::max(max_abs, std::abs(g - w));
  }
  ErrorMetrics metrics{.rel_rms = 0, .max_abs = max_abs, .cosine = 1};
  if (error > 0) metrics.rel_rms = want_squares > 0 ? std::sqrt(error / want_squares) : kInfinity;
  if (got_squares > 0 && want_squares > 0) {
    metrics.cosine = dot / (std::sqrt(got_squares) * std::sqrt(want_squares));
  } else if (got_squares != want_squares) {
    metrics.cosine = 0;
  }
  return metrics;
}

int64_t CountNonFinite(std::span<const float> values) {
  return std::count_if(values.begin(), values.end(), [](float v) { return !std::isfinite(v); });
}

}  // namespace mvd
