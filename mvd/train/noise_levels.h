// The noise levels of adversarial training (SF-V, arXiv 2406.04324, section 3): few for the generator, many
// for what the discriminator sees.
#pragma once

#include <cstdint>
#include <vector>

namespace mvd {

// EDM's grid of `count` levels without its lowest one, falling: what the generator is given, each as often,
// and the first is the one of generation. Four levels of 0.002 to 700: 700, 70.5, 2.27.
std::vector<double> GeneratorLevels(double sigma_min, double sigma_max, int64_t count);

// A log-normal on EDM's grid: level t with the weight of the interval down to level t-1 under
// N(mean, deviation^2) of ln sigma. The lowest level has none.
class DiscreteLogNormal {
 public:
  DiscreteLogNormal(double mean, double deviation, double sigma_min, double sigma_max, int64_t count);
  // The level at a quantile in [0,1).
  double At(double quantile) const;

 private:
  std::vector<double> levels_, below_;  // rising; share of all weight up to each, the last one 1
};

}  // namespace mvd
