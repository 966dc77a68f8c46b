#include "mvd/train/lr_schedule.h"

#include <gtest/gtest.h>

#include <cmath>

namespace mvd {
namespace {

// Closed forms in f64: 1e-15 relative is a few roundings.
constexpr double kRounding = 1e-15;

TEST(LearningRate, WarmUpIsLinearAndNeverZero) {
  const OptimiserSection optimiser{.lr = 1};
  const ScheduleSection schedule{.kind = "constant", .warmup_steps = 4};
  const double expected[] = {0.2, 0.4, 0.6, 0.8, 1, 1, 1};
  for (int64_t step = 0; step < 7; ++step) {
    EXPECT_NEAR(LearningRate(optimiser, schedule, step, 100), expected[step], kRounding) << step;
  }
}

TEST(LearningRate, CosineEndsAtItsLeastRate) {
  const OptimiserSection optimiser{.lr = 2};
  const ScheduleSection schedule{.kind = "cosine", .warmup_steps = 3, .min_lr = 1};
  // Steps 3 to 7 are 0, 1/4, 1/2, 3/4, 1 of the way from 2 to 1.
  const double half = std::sqrt(0.5) / 2;
  const double expected[] = {0.5, 1, 1.5, 2, 1.5 + half, 1.5, 1.5 - half, 1, 1, 1};
  for (int64_t step = 0; step < 10; ++step) {
    EXPECT_NEAR(LearningRate(optimiser, schedule, step, 8), expected[step], 4 * kRounding) << step;
  }
}

TEST(LearningRate, CosineOfOneStep) {
  const ScheduleSection schedule{.kind = "cosine", .warmup_steps = 0};
  EXPECT_EQ(LearningRate({.lr = 1}, schedule, 0, 1), 1);
}

TEST(EmaDecay, HalvesAfterAHalfLife) {
  const EmaSection ema{.half_life = 1000, .ramp_up = 0};
  double weight = 1;
  for (int i = 0; i < 250; ++i) weight *= EmaDecay(ema, 0, 4);
  EXPECT_NEAR(weight, 0.5, 250 * kRounding);
}

TEST(EmaDecay, RampsUpWithTheSamplesSeen) {
  const EmaSection ema{.half_life = 1000, .ramp_up = 0.05};
  EXPECT_EQ(EmaDecay(ema, 0, 4), 0);                  // the average begins as the weights
  EXPECT_NEAR(EmaDecay(ema, 80, 4), 0.5, kRounding);  // half-life 4
  EXPECT_EQ(EmaDecay(ema, 20000, 4), EmaDecay(ema, 10000000, 4));
  EXPECT_LT(EmaDecay(ema, 19000, 4), EmaDecay(ema, 20000, 4));
  EXPECT_EQ(EmaDecay({.half_life = 0}, 1000, 4), 0);
}

}  // namespace
}  // namespace mvd
