#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "mvd/measure/clip_measures.h"
#include "mvd/measure/statistics.h"

namespace mvd {
namespace {

FloatClip Clip(int64_t frames, float (*value)(int64_t t, int64_t x)) {
  FloatClip clip{frames, 16, 32, {}};
  for (int64_t t = 0; t < frames; ++t) {
    for (int64_t i = 0; i < 16 * 32 * 3; ++i) clip.rgb.push_back(value(t, i / 3 % 32));
  }
  return clip;
}

TEST(ClipMeasuresTest, Psnr) {
  const std::vector<float> a(10, 0.5f), b(10, 0.6f);
  EXPECT_NEAR(Psnr(a, b), 20, 1e-5);
  EXPECT_TRUE(std::isinf(Psnr(a, a)));
}

TEST(ClipMeasuresTest, FlickerSeesBlinkingAndNotAFade) {
  EXPECT_NEAR(Flicker(Clip(6, [](int64_t t, int64_t) { return float(t) / 10; })), 0, 1e-4);
  // 0, 1, 0, 1 levels: second differences of 2.
  EXPECT_NEAR(Flicker(Clip(6, [](int64_t t, int64_t) { return float(t % 2) / 255; })), 2, 1e-4);
  EXPECT_EQ(Flicker(Clip(2, [](int64_t t, int64_t) { return float(t); })), 0);
}

TEST(ClipMeasuresTest, TemporalFlickeringIsWhatNeighboursShare) {
  EXPECT_NEAR(TemporalFlickering(Clip(6, [](int64_t t, int64_t) { return float(t) / 10; })), 90, 1e-4);
  EXPECT_EQ(TemporalFlickering(Clip(1, [](int64_t, int64_t) { return 0.3f; })), 100);
}

TEST(StatisticsTest, Spearman) {
  EXPECT_NEAR(Spearman(std::vector<double>{1, 2, 3, 4}, std::vector<double>{10, 20, 25, 100}), 1, 1e-12);
  EXPECT_NEAR(Spearman(std::vector<double>{1, 2, 3}, std::vector<double>{3, 2, 1}), -1, 1e-12);
  // Ranks 0.5, 0.5, 2 against 0, 1, 2: 1.5 / sqrt(1.5 x 2).
  EXPECT_NEAR(Spearman(std::vector<double>{1, 1, 2}, std::vector<double>{1, 2, 3}), 1.5 / std::sqrt(3.0),
              1e-12);
  EXPECT_EQ(Spearman(std::vector<double>{1, 1}, std::vector<double>{1, 2}), 0);
}

TEST(StatisticsTest, IntervalsHoldTheMeanAndAreTheSameEachTime) {
  std::vector<double> values;
  for (int i = 0; i < 100; ++i) values.push_back(i % 10);
  const Interval a = MeanOf(values, 3), b = MeanOf(values, 3);
  EXPECT_DOUBLE_EQ(a.value, 4.5);
  EXPECT_EQ(a.count, 100);
  EXPECT_EQ(a.low, b.low);
  // The mean's standard error is 0.287: 95 % are 0.563 to either side, and a bootstrap of 1000 is near that.
  EXPECT_NEAR(a.low, 4.5 - 0.563, 0.1);
  EXPECT_NEAR(a.high, 4.5 + 0.563, 0.1);
  EXPECT_EQ(MeanOf({}).count, 0);
}

TEST(StatisticsTest, IntervalsOfWhatIsNeverNegativeAreNotEither) {
  // One clip in ten is far off: the draws' mean is above the value, and moving the interval down by as much
  // would take its lower end below zero.
  std::vector<double> values(10, 0.01);
  values.back() = 10;
  const Interval mean = MeanOf(values, 1);
  EXPECT_GE(mean.low, 0.01 - 1e-12);
  EXPECT_LE(mean.high, 10);
  EXPECT_LT(mean.low, mean.value);
  // A distance that repeated rows make larger, as the Frechet distance of a finite set: 0.1 plus the share of
  // rows that are missing in the draw, about 0.37 of them.
  const auto distance = [](std::span<const int64_t> rows) {
    const std::set<int64_t> different(rows.begin(), rows.end());
    return 0.1 + 1 - double(different.size()) / double(rows.size());
  };
  const Interval interval = BootstrapDistance(50, distance, 1, 200);
  EXPECT_NEAR(interval.value, 0.1, 1e-12);
  EXPECT_GT(interval.low, 0.05);
  EXPECT_LT(interval.low, 0.1);
  EXPECT_GT(interval.high, 0.1);
  EXPECT_LT(interval.high, 0.2);
}

}  // namespace
}  // namespace mvd
