#include "mvd/train/loop/warp.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "mvd/train/loop/draws.h"

namespace mvd {
namespace {

// Values that rise to the right and downwards, taken at the middle of each pixel of a picture of size 1 by 1:
// (1,1,h,w,2).
at::Tensor Ramps(int64_t h, int64_t w) {
  const at::Tensor y = (at::arange(h, at::kFloat) + 0.5) / double(h),
                   x = (at::arange(w, at::kFloat) + 0.5) / double(w);
  return at::stack({y.view({h, 1}).expand({h, w}), x.view({1, w}).expand({h, w})}, 2).view({1, 1, h, w, 2});
}

TEST(Window, TheWholeIsThePictureItself) {
  const at::Tensor x = at::randn({2, 1, 6, 10, 3});
  EXPECT_TRUE(at::allclose(LookThrough({Window(), Window()}, x), x, 1e-5, 1e-5));
}

// Half of the picture about its lower right quarter's middle: ramps run from 1/2 to 1, and the same at
// another size, as latents are to pictures.
TEST(Window, ShowsItsPartAtEverySize) {
  const Window window{.side = 0.5, .x = 0.25, .y = 0.25};
  for (const auto& [h, w] : {std::pair<int64_t, int64_t>{64, 128}, {4, 8}}) {
    const at::Tensor seen = LookThrough({window}, Ramps(h, w)), want = 0.5 + Ramps(h, w) / 2;
    // At the edge bilinear reading stops at the last pixel's middle.
    const auto inner = [&](const at::Tensor& x) { return x.narrow(2, 0, h - 1).narrow(3, 0, w - 1); };
    EXPECT_TRUE(at::allclose(inner(seen), inner(want), 1e-5, 1e-5)) << h;
  }
}

TEST(Window, DrawnOnesStayInside) {
  double least = 1;
  for (uint64_t sample = 0; sample < 2000; ++sample) {
    const Window v = DrawWindow(5, sample);
    least = std::min(least, v.side);
    EXPECT_GE(v.side, 0.5);
    EXPECT_LE(std::abs(v.x) + v.side / 2, 0.5 + 1e-12);
    EXPECT_LE(std::abs(v.y) + v.side / 2, 0.5 + 1e-12);
  }
  EXPECT_LT(least, 0.51);
  EXPECT_EQ(DrawWindow(5, 7).side, DrawWindow(5, 7).side);
}

}  // namespace
}  // namespace mvd
