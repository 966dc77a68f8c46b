#include "mvd/train/noise_levels.h"

#include <algorithm>
#include <cmath>

#include "mvd/base/check.h"
#include "mvd/sample/schedule.h"

namespace mvd {

std::vector<double> GeneratorLevels(double sigma_min, double sigma_max, int64_t count) {
  MVD_CHECK_GE(count, 2);
  std::vector<double> levels = KarrasSigmas(sigma_min, sigma_max, count);
  levels.pop_back();
  return levels;
}

DiscreteLogNormal::DiscreteLogNormal(double mean, double deviation, double sigma_min, double sigma_max,
                                     int64_t count) {
  levels_ = KarrasSigmas(sigma_min, sigma_max, count);
  std::reverse(levels_.begin(), levels_.end());
  const auto share = [&](double level) {
    return std::erf((std::log(level) - mean) / (std::sqrt(2.0) * deviation));
  };
  const double least = share(levels_.front()), all = share(levels_.back()) - least;
  MVD_CHECK(all > 0, "no level lies near ln sigma = ", mean);
  for (double level : levels_) below_.push_back((share(level) - least) / all);
  below_.back() = 1;
}

double DiscreteLogNormal::At(double quantile) const {
  const auto found = std::upper_bound(below_.begin() + 1, below_.end(), quantile);
  return levels_[size_t(std::min(found, below_.end() - 1) - below_.begin())];
}

}  // namespace mvd
