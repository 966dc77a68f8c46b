#include "mvd/train/health.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace mvd {
namespace {

const float kNan = std::nanf("");
const float kInfinity = std::numeric_limits<float>::infinity();

TEST(Health, CountsWhatIsNotFinite) {
  EXPECT_EQ(CountNotFinite(std::vector<float>{0, kNan, 1, -kInfinity, kInfinity}), 3);
  EXPECT_EQ(CountNotFinite({}), 0);
}

TEST(Health, JudgesSteps) {
  HealthCounters health;
  EXPECT_TRUE(health.Judge(0.5, 2));
  EXPECT_FALSE(health.Judge(kNan, 2));
  EXPECT_FALSE(health.Judge(0.5, kInfinity));
  EXPECT_EQ(health.bad_in_a_row, 2);
  EXPECT_TRUE(health.Judge(0.5, 2));
  EXPECT_EQ(health,
            (HealthCounters{.bad_losses = 1, .bad_gradients = 1, .skipped_steps = 2, .bad_in_a_row = 0}));
  EXPECT_EQ(HealthFromJson(ToJson(health)), health);
  EXPECT_EQ(HealthFromJson({}), HealthCounters{});
}

TEST(Health, MotionIsTheMeanChangeOfNeighbours) {
  // Three frames of two values: changes 1, 1 and then 3, 0.
  EXPECT_DOUBLE_EQ(MotionMagnitude(std::vector<float>{0, 0, 1, -1, 4, -1}, 3), 5.0 / 4);
  EXPECT_EQ(MotionMagnitude(std::vector<float>{7, 8}, 1), 0);
}

TEST(Health, FirstFrameCopyIsToldFromMotion) {
  const std::vector<float> real = {0, 0, 1, 1, 3, 3};  // distance to the first: (1 + 3) / 2
  const std::vector<float> copy = {5, 6, 5, 6, 5, 6};
  const std::vector<float> half = {0, 0, 1, 1, 1, 1};
  const std::vector<float> wild = {0, 0, 100, 100, 100, 100};
  EXPECT_EQ(FirstFrameCopyRatio(copy, real, 3), 1);
  EXPECT_EQ(FirstFrameCopyRatio(real, real, 3), 0);
  EXPECT_DOUBLE_EQ(FirstFrameCopyRatio(half, real, 3), 0.5);
  EXPECT_EQ(FirstFrameCopyRatio(wild, real, 3), -1);
  EXPECT_EQ(FirstFrameCopyRatio(copy, copy, 3), 0);  // a still clip is no copy of a still original
}

TEST(Health, Text) {
  EXPECT_EQ(
      HealthText({.bad_losses = 1}, 0.0213, 0.034, 0.12, 0.013),
      "not finite: 1 losses, 0 gradients; motion 0.0213 (data 0.0340); first-frame copy 0.12; seeds differ "
      "by 0.0130");
  EXPECT_NE(HealthText({}, 0.0002, 0.034, 0.95, 0.0002).find("WARNING: samples stand still"),
            std::string::npos);
  EXPECT_NE(HealthText({}, 0.02, 0.034, 0.1, 0.0001).find("WARNING: seeds make one clip"), std::string::npos);
}

TEST(Health, CollapseIsToldByTheLosses) {
  CollapseWatch fine, sure, lost;
  std::string of_fine, of_sure, of_lost;
  for (int step = 0; step < 400; ++step) {
    of_fine += fine.Judge(1.5, 10);
    of_sure = sure.Judge(step < 100 ? 1.0 : 0.0, 10);
    of_lost = lost.Judge(1.5, step < 100 ? 10 : 30);
  }
  EXPECT_EQ(of_fine, "");
  EXPECT_NE(of_sure.find("sure of every clip"), std::string::npos) << of_sure;
  EXPECT_NE(of_lost.find("3.0 times as far"), std::string::npos) << of_lost;
}

}  // namespace
}  // namespace mvd
