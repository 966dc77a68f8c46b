#include "mvd/train/noise_levels.h"

#include <gtest/gtest.h>

#include <cmath>

namespace mvd {
namespace {

TEST(GeneratorLevels, AreSfvsThree) {
  const std::vector<double> levels = GeneratorLevels(0.002, 700, 4);
  ASSERT_EQ(levels.size(), 3u);
  EXPECT_DOUBLE_EQ(levels[0], 700);
  EXPECT_NEAR(levels[1], 70.5, 0.05);  // given to three digits
  EXPECT_NEAR(levels[2], 2.27, 0.005);
}

TEST(DiscreteLogNormal, HasTheQuantilesOfSfvsDiscriminator) {
  const DiscreteLogNormal levels(-1, 1, 0.002, 700, 1000);
  // exp(-1 + z); neighbouring levels of the grid differ by 3 % there at most.
  EXPECT_NEAR(levels.At(0.05) / std::exp(-1 - 1.645), 1, 0.03);
  EXPECT_NEAR(levels.At(0.50) / std::exp(-1.0), 1, 0.03);
  EXPECT_NEAR(levels.At(0.95) / std::exp(-1 + 1.645), 1, 0.03);
}

TEST(DiscreteLogNormal, StaysOnItsGridAndLeavesTheLowestOut) {
  const DiscreteLogNormal levels(-1, 1, 0.5, 2, 3);
  const double middle = std::pow((std::pow(0.5, 1 / 7.0) + std::pow(2.0, 1 / 7.0)) / 2, 7);
  EXPECT_NEAR(levels.At(0), middle, 1e-12);
  EXPECT_NEAR(levels.At(0.999999), 2, 1e-12);
  int low = 0;
  for (int i = 0; i < 1000; ++i) low += levels.At((i + 0.5) / 1000) < 1.5;
  // Shares of N(-1,1) between ln 0.5, ln middle and ln 2.
  const auto below = [](double s) { return 0.5 * std::erfc(-(std::log(s) + 1) / std::sqrt(2.0)); };
  EXPECT_NEAR(low / 1000.0, (below(middle) - below(0.5)) / (below(2) - below(0.5)), 1e-3);
}

}  // namespace
}  // namespace mvd
