#include "mvd/train/loop/clip_damage.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <array>

namespace mvd {
namespace {

at::Tensor Clip() { return at::rand({1, 6, 16, 32, 3}) * 2 - 1; }

// Mean length of the differences of neighbouring pixels: (T).
at::Tensor Detail(const at::Tensor& clip) { return clip.diff(1, 3).abs().mean({0, 2, 3, 4}); }

TEST(ClipDamage, HalfAreLeftAndTheRestIsEven) {
  std::array<int, kDamages> counts{};
  for (uint64_t sample = 0; sample < 8000; ++sample) ++counts[size_t(DrawDamage(3, sample))];
  EXPECT_NEAR(counts[0], 4000, 4.5 * 45);  // 4.5 standard deviations of a fair draw
  for (size_t i = 1; i < counts.size(); ++i) EXPECT_NEAR(counts[i], 1000, 4.5 * 30) << i;
  EXPECT_EQ(DrawDamage(3, 17), DrawDamage(3, 17));
}

TEST(ClipDamage, FramesStandStillOrChangePlaces) {
  const at::Tensor clip = Clip();
  EXPECT_TRUE(Damaged(clip, Damage::kNone, 1, 2).equal(clip));
  const at::Tensor still = Damaged(clip, Damage::kStill, 1, 2),
                   shuffled = Damaged(clip, Damage::kShuffled, 1, 2);
  EXPECT_FALSE(shuffled.equal(clip));
  for (int64_t t = 0; t < 6; ++t) {
    EXPECT_TRUE(still.select(1, t).equal(clip.select(1, 0)));
    int found = 0;
    for (int64_t s = 0; s < 6; ++s) found += shuffled.select(1, s).equal(clip.select(1, t));
    EXPECT_EQ(found, 1) << t;
  }
}

TEST(ClipDamage, GrainIsWithinItsBoundsAndOfTheSample) {
  const at::Tensor clip = Clip();
  for (uint64_t sample = 0; sample < 20; ++sample) {
    const at::Tensor made = Damaged(clip, Damage::kGrain, 1, sample);
    const double deviation = (made - clip).std().item<double>();
    EXPECT_GT(deviation, 0.019) << sample;  // of 9216 numbers: 0.02 and 0.2 to a few percent
    EXPECT_LT(deviation, 0.21) << sample;
    EXPECT_TRUE(made.equal(Damaged(clip, Damage::kGrain, 1, sample)));
  }
}

TEST(ClipDamage, BlurGrowsFromNothing) {
  const at::Tensor clip = Clip(), made = Damaged(clip, Damage::kBlur, 1, 2);
  EXPECT_TRUE(made.select(1, 0).equal(clip.select(1, 0)));
  EXPECT_LT(Detail(made).diff().max().item<double>(), 0);
  EXPECT_LT(Detail(made)[5].item<double>(), 0.2 * Detail(clip)[5].item<double>());
}

}  // namespace
}  // namespace mvd
