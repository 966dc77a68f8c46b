// Guidance scales and preconditioning, by their formulas.
#include "mvd/sample/guidance.h"

#include <gtest/gtest.h>

#include "mvd/base/error.h"
#include "mvd/sample/preconditioning.h"

namespace mvd {
namespace {

TEST(Guidance, ScalesRiseLinearlyOverFrames) {
  EXPECT_EQ(GuidanceScales(1, 3, 5), (std::vector<float>{1, 1.5f, 2, 2.5f, 3}));
  EXPECT_EQ(GuidanceScales(1, 3, 1), std::vector<float>{1});
  EXPECT_EQ(GuidanceScales(3, 2, 3), (std::vector<float>{3, 2.5f, 2}));
}

TEST(Guidance, OnIfAnyScaleIsAboveOne) {
  EXPECT_FALSE(GuidanceOn(GuidanceScales(1, 1, 14)));
  EXPECT_FALSE(GuidanceOn(GuidanceScales(0, 1, 14)));
  EXPECT_TRUE(GuidanceOn(GuidanceScales(1, 1.01, 14)));
}

TEST(Guidance, MinAboveOneNeedsMaxAboveOne) {
  try {
    GuidanceScales(2, 1, 14);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.exit(), Exit::kUsage);
    EXPECT_STREQ(error.what(),
                 "min_guidance_scale: found 2 with max_guidance_scale 1, expected at most 1, or a "
                 "max_guidance_scale above 1");
  }
}

TEST(Guidance, EachFrameHasItsScale) {
  const std::vector<float> uncond = {1, 2, 3, 4}, scales = {1, 3};
  std::vector<float> cond = {2, 0, 4, 3};
  Guide(uncond, cond, scales, cond);  // in place
  EXPECT_EQ(cond, (std::vector<float>{2, 0, 6, 1}));
  EXPECT_THROW(Guide(uncond, cond, std::vector<float>{1, 2, 3}, cond), InternalError);
}

// At sigma = 1 by hand, and for all sigma: a network that predicts v = (eps - sigma x0)/sqrt(1 + sigma^2)
// yields x0 exactly, and c_in scales x0 + sigma eps to unit variance.
TEST(Preconditioning, VPredictionRecoversTheSample) {
  const Preconditioning one = VPrediction(1);
  EXPECT_DOUBLE_EQ(one.c_skip, 0.5);
  EXPECT_DOUBLE_EQ(one.c_out, -std::sqrt(0.5));
  EXPECT_DOUBLE_EQ(one.c_noise, 0);
  for (double sigma : {0.002, 0.3, 1.0, 20.0, 700.0}) {
    const Preconditioning c = VPrediction(sigma);
    const double x0 = 0.7, eps = -1.3, x = x0 + sigma * eps;
    const double v = (eps - sigma * x0) / std::sqrt(1 + sigma * sigma);
    EXPECT_NEAR(c.c_skip * x + c.c_out * v, x0, 1e-12) << sigma;
    EXPECT_NEAR(c.c_in * c.c_in * (1 + sigma * sigma), 1, 1e-14) << sigma;
    EXPECT_NEAR(c.c_skip * c.c_skip + c.c_out * c.c_out * c.c_in * c.c_in, c.c_in * c.c_in, 1e-12) << sigma;
    EXPECT_NEAR(c.c_noise, 0.25 * std::log(sigma), 1e-15) << sigma;
    EXPECT_NEAR(LossWeight(sigma) * c.c_out * c.c_out, 1, 1e-12) << sigma;
  }
}

TEST(Preconditioning, OtherPredictionTypes) {
  const double sigma = 3, x0 = 0.7, eps = -1.3, x = x0 + sigma * eps;
  const Preconditioning epsilon = Precondition("epsilon", sigma), sample = Precondition("sample", sigma);
  EXPECT_NEAR(epsilon.c_skip * x + epsilon.c_out * eps, x0, 1e-15);
  EXPECT_EQ(sample.c_skip * x + sample.c_out * x0, x0);
  EXPECT_EQ(epsilon.c_in, VPrediction(sigma).c_in);
  EXPECT_THROW(Precondition("flow", sigma), InternalError);
}

}  // namespace
}  // namespace mvd
