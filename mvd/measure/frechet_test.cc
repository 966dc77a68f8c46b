#include "mvd/measure/frechet.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "mvd/base/error.h"

namespace mvd {
namespace {

FeatureMatrix Matrix(int64_t columns, std::vector<double> values) {
  return {int64_t(values.size()) / columns, columns, std::move(values)};
}

TEST(FrechetTest, OneDimensionIsMeansAndDeviations) {
  // Means 1 and 5, deviations 1 and 3: (1-5)^2 + (1-3)^2.
  EXPECT_NEAR(FrechetDistance(Matrix(1, {0, 2}), Matrix(1, {2, 8})), 16 + 4, 1e-12);
}

TEST(FrechetTest, TwoDimensionsByHand) {
  // Covariances diag(1, 4) and diag(9, 16) about the same mean: (1-3)^2 + (2-4)^2.
  const FeatureMatrix a = Matrix(2, {1, 2, 1, -2, -1, 2, -1, -2}),
                      b = Matrix(2, {3, 4, 3, -4, -3, 4, -3, -4});
  EXPECT_NEAR(FrechetDistance(a, b), 8, 1e-12);
  // Turned by 90 degrees: diag(1, 4) against diag(4, 1) is 2 (1 - 2)^2.
  const FeatureMatrix turned = Matrix(2, {2, 1, 2, -1, -2, 1, -2, -1});
  EXPECT_NEAR(FrechetDistance(a, turned), 2, 1e-12);
}

// Covariances that do not commute: tr((S1 S2)^1/2) of 2x2 matrices is sqrt(tr(S1 S2) + 2 sqrt(det(S1 S2))).
TEST(FrechetTest, CovariancesThatDoNotCommute) {
  const FeatureMatrix a = Matrix(2, {1, 2, 1, -2, -1, 2, -1, -2});  // diag(1, 4)
  const FeatureMatrix b = Matrix(2, {2, 2, -2, -2, 1, -1, -1, 1});  // ((2.5, 1.5), (1.5, 2.5))
  const double cross = std::sqrt((2.5 + 4 * 2.5) + 2 * std::sqrt(4.0 * (2.5 * 2.5 - 1.5 * 1.5)));
  EXPECT_NEAR(FrechetDistance(a, b), 5 + 5 - 2 * cross, 1e-12);
}

TEST(FrechetTest, OfASetWithItselfIsZero) {
  const FeatureMatrix a = Matrix(3, {1, 2, 3, 0, 1, -1, 5, 2, 2, 1, 1, 7, -3, 0, 2});
  EXPECT_NEAR(FrechetDistance(a, a), 0, 1e-9);
  EXPECT_NEAR(KernelDistance(a, a), 0, 1e-9);
}

TEST(FrechetTest, KernelDistanceByHand) {
  // d = 1: kernels (xy)^2. Means of squares: real 1 and 9 -> (1+9)^2/4 = 25, fake 4 -> 16, across (4+36)/2
  // = 20.
  EXPECT_NEAR(KernelDistance(Matrix(1, {1, 3}), Matrix(1, {2})), 100 * (25 + 16 - 2 * 20), 1e-9);
}

TEST(FrechetTest, BadFeaturesAreRefused) {
  const FeatureMatrix a = Matrix(2, {1, 2, 3, 4});
  EXPECT_THROW(FrechetDistance(a, Matrix(1, {1, 2})), Error);
  EXPECT_THROW(FrechetDistance(a, Matrix(2, {})), Error);
  EXPECT_THROW(KernelDistance(a, Matrix(2, {1, std::numeric_limits<double>::quiet_NaN()})), Error);
}

}  // namespace
}  // namespace mvd
