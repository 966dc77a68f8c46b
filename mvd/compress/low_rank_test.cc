// Low-rank factors of one layer, widths, and He's numbers: the ablations' parts.
#include <cmath>

#include "mvd/compress/compress_testing.h"
#include "mvd/compress/funnels.h"
#include "mvd/models/unet_layout.h"

namespace mvd {
namespace {

TEST(FunnelWidthTest, AreRoundedHalvesUp) {
  EXPECT_EQ(FunnelWidth(64, 1), 64);
  EXPECT_EQ(FunnelWidth(64, 0.5), 32);
  EXPECT_EQ(FunnelWidth(64, 0.65), 42);  // 41.6
  EXPECT_EQ(FunnelWidth(5, 0.5), 3);     // halves up
  EXPECT_EQ(FunnelWidth(64, 0.001), 1);
  EXPECT_EQ(ConvFunnelWidth(320, 0.5), 160);
  EXPECT_EQ(ConvFunnelWidth(320, 0.25), 96);  // 80 is halfway
  EXPECT_EQ(ConvFunnelWidth(1280, 0.3), 384);
  EXPECT_EQ(ConvFunnelWidth(64, 0.01), 32);
  EXPECT_EQ(ConvFunnelWidth(96, 1), 96);
}

TEST(HeFunnelTest, HasTheVarianceOfItsFanIn) {
  const Tensor f = HeFunnel({4, 50, 200}, 1, 2);
  double sum = 0, squares = 0;
  for (float x : f.f32()) sum += x, squares += double(x) * x;
  const double n = 40000;
  EXPECT_NEAR(sum / n, 0, 5 * std::sqrt(0.01 / n));                  // 5 sigma
  EXPECT_NEAR(squares / n, 2.0 / 200, 5 * 0.01 * std::sqrt(2 / n));  // 5 sigma of a chi-square
  EXPECT_NE(HeFunnel({4, 50, 200}, 1, 3).f32()[0], f.f32()[0]);
}

TEST(LowRankTest, LosesTheSmallestSingularValues) {
  for (const Shape& shape : {Shape{12, 7}, Shape{7, 12}}) {
    const Tensor w = NormalTensor(shape, 1);
    const Mat full = Rows(w, 0, shape[0]);
    for (int64_t rank : {1, 3, 7}) {
      const LowRank f = LowRankFactors(Layer(w), rank);
      ASSERT_EQ(f.up.shape(), Shape({shape[0], rank}));
      ASSERT_EQ(f.down.shape(), Shape({rank, shape[1]}));
      ASSERT_EQ(f.singular_values.size(), 7u);
      double all = 0, lost = 0;
      for (int64_t i = 0; i < 7; ++i) {
        const double s = f.singular_values[size_t(i)];
        all += s * s;
        if (i >= rank) lost += s * s;
      }
      EXPECT_NEAR(all / SquaredNorm(full), 1, 1e-12);
      const Mat product = Rows(f.up, 0, shape[0]) * Rows(f.down, 0, rank);
      EXPECT_NEAR(std::sqrt(SquaredDistance(full, product)), std::sqrt(lost), 1e-6 * std::sqrt(all));
    }
  }
}

}  // namespace
}  // namespace mvd
