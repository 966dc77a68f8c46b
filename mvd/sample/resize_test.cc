// Resizing against Pillow 13 (to the bit) and SVD's CLIP preprocessing against diffusers 0.42.
#include "mvd/sample/resize.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace mvd {
namespace {

// A picture both sides can make: the high bytes of a linear congruential generator.
RgbImage Noise(int64_t width, int64_t height) {
  RgbImage image{std::vector<uint8_t>(size_t(width * height * 3)), width, height};
  uint32_t state = 1;
  for (uint8_t& value : image.pixels) {
    state = state * 1664525u + 1013904223u;
    value = uint8_t(state >> 24);
  }
  return image;
}

uint64_t Fnv1a(const std::vector<uint8_t>& bytes) {
  uint64_t hash = 0xcbf29ce484222325;
  for (uint8_t byte : bytes) hash = (hash ^ byte) * 0x100000001b3;
  return hash;
}

TEST(Lanczos, SmallPictureAsPillowMakesIt) {
  EXPECT_EQ(LanczosResize(Noise(4, 3).view(), 2, 2).pixels,
            (std::vector<uint8_t>{166, 126, 81, 156, 92, 58, 128, 162, 127, 191, 72, 105}));
}

// Up, down, one axis alone, both orders of the passes, a single pixel, the same size.
TEST(Lanczos, BitExactOverSizes) {
  const struct {
    int64_t w, h, width, height;
    uint64_t hash;
  } cases[] = {
      {64, 48, 32, 24, 0x43b1321958b36af2},  {33, 47, 100, 9, 0x881478f28d710eae},
      {5, 7, 64, 64, 0x4218cb4bf0e8dd5a},    {1, 1, 8, 8, 0x5709e8ae4e763565},
      {97, 60, 97, 31, 0xcee299b59bde7700},  {60, 97, 31, 97, 0xcb760e0b6fc1c830},
      {150, 40, 40, 39, 0xf58066b2bdcfb290}, {130, 90, 128, 72, 0x85b894f3d55773ea},
      {20, 20, 20, 20, 0x79564448bd22a383},  {40, 40, 30, 20, 0x311f7b7b7c2fd3e7},
      {40, 40, 30, 19, 0x92c56e765b953a1f},
  };
  for (const auto& c : cases) {
    const RgbImage got = LanczosResize(Noise(c.w, c.h).view(), c.width, c.height);
    EXPECT_EQ(got.width, c.width);
    EXPECT_EQ(got.height, c.height);
    EXPECT_EQ(Fnv1a(got.pixels), c.hash) << c.w << "x" << c.h << " to " << c.width << "x" << c.height;
  }
}

TEST(Lanczos, AFlatPictureStaysFlat) {
  const RgbImage flat{std::vector<uint8_t>(37 * 11 * 3, 201), 37, 11};
  for (uint8_t value : LanczosResize(flat.view(), 16, 40).pixels) ASSERT_EQ(value, 201);
}

// (H,W) of ones bytes with the column's number in red and the row's in green.
RgbImage Coordinates(int64_t width, int64_t height) {
  RgbImage image{{}, width, height};
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x)
      image.pixels.insert(image.pixels.end(), {uint8_t(x), uint8_t(y), 255});
  }
  return image;
}

TEST(Fit, CropCutsTheCentreOut) {
  const RgbImage wide = FrameImage(Coordinates(100, 40).view(), 64, 64, Fit::kCrop);
  EXPECT_EQ(wide.width, 40);
  EXPECT_EQ(wide.height, 40);
  EXPECT_EQ(wide.pixels[0], 30);
  const RgbImage tall = FrameImage(Coordinates(40, 100).view(), 128, 64, Fit::kCrop);
  EXPECT_EQ(tall.width, 40);
  EXPECT_EQ(tall.height, 20);
  EXPECT_EQ(tall.pixels[1], 40);
}

TEST(Fit, PadAddsBlackBars) {
  const RgbImage padded = FrameImage(Coordinates(40, 20).view(), 64, 64, Fit::kPad);
  EXPECT_EQ(padded.width, 40);
  EXPECT_EQ(padded.height, 40);
  const auto blue = [&](int64_t x, int64_t y) { return padded.pixels[size_t((y * 40 + x) * 3 + 2)]; };
  EXPECT_EQ(blue(5, 9), 0);
  EXPECT_EQ(blue(5, 10), 255);
  EXPECT_EQ(blue(5, 29), 255);
  EXPECT_EQ(blue(5, 30), 0);
  EXPECT_EQ(FrameImage(Coordinates(20, 40).view(), 64, 64, Fit::kPad).width, 40);
}

TEST(Fit, TheRightRatioIsLeftAlone) {
  const RgbImage image = Noise(32, 18);
  for (Fit fit : {Fit::kCrop, Fit::kStretch, Fit::kPad}) {
    EXPECT_EQ(FrameImage(image.view(), 1024, 576, fit).pixels, image.pixels) << Name(fit);
    const RgbImage fitted = FitImage(image.view(), 64, 36, fit);
    EXPECT_EQ(fitted.pixels, LanczosResize(image.view(), 64, 36).pixels) << Name(fit);
  }
}

TEST(Fit, AlwaysTheAskedSizeEvenFromThinPictures) {
  for (Fit fit : {Fit::kCrop, Fit::kStretch, Fit::kPad}) {
    for (const RgbImage& image : {Noise(1, 300), Noise(300, 1), Noise(7, 5)}) {
      const RgbImage fitted = FitImage(image.view(), 24, 16, fit);
      EXPECT_EQ(fitted.pixels.size(), size_t(24 * 16 * 3)) << Name(fit);
    }
    EXPECT_EQ(ParseFit(Name(fit)), fit);
  }
  EXPECT_EQ(ParseFit("zoom"), std::nullopt);
}

TEST(Picture, SignedUnit) {
  const std::vector<uint8_t> pixels = {0, 51, 255};
  const Tensor tensor = ToSignedUnit({pixels, 1, 1});
  EXPECT_EQ(tensor.shape(), (Shape{1, 1, 1, 3}));
  EXPECT_EQ(tensor.f32()[0], -1);
  EXPECT_NEAR(tensor.f32()[1], -0.6, 1e-7);
  EXPECT_EQ(tensor.f32()[2], 1);
}

// Constants by diffusers' own resize and normalisation. It filters in f32, this in f64: some 3e-7, so 1e-5
// leaves room for no mistake in weights, borders or positions.
TEST(ClipPixels, AsDiffusers) {
  const struct {
    int64_t w, h;
    std::array<float, 6> values;
    double low, high, squares;
  } cases[] = {
      {64,
       48,
       {-0.916356981f, -0.341366887f, 0.354168832f, -0.428561509f, -0.328394383f, 1.78181779f},
       -2.35871768,
       2.72804117,
       134097.652954},
      {225,
       500,
       {-0.447870314f, -0.833459914f, 0.870036483f, -0.262286603f, -0.543073535f, 0.978919029f},
       -2.01696396,
       2.3478148,
       77736.7089188},
      {640,
       360,
       {0.0117502091f, -0.984770417f, 0.0919300765f, 0.332736164f, -0.0404541232f, -0.64664489f},
       -1.8185358,
       2.14217687,
       61758.397369},
  };
  constexpr size_t kElements[] = {0, 1, 2, 75000, 150527, 224 * 3 * 100 + 3 * 17};
  for (const auto& c : cases) {
    const Tensor got = ClipPixels(ToSignedUnit(Noise(c.w, c.h).view()));
    ASSERT_EQ(got.shape(), (Shape{1, 224, 224, 3}));
    for (size_t i = 0; i < 6; ++i) EXPECT_NEAR(got.f32()[kElements[i]], c.values[i], 1e-5) << c.w << " " << i;
    const auto [low, high] = std::minmax_element(got.f32().begin(), got.f32().end());
    EXPECT_NEAR(*low, c.low, 1e-5) << c.w;
    EXPECT_NEAR(*high, c.high, 1e-5) << c.w;
    double squares = 0;
    for (float value : got.f32()) squares += double(value) * value;
    EXPECT_NEAR(squares, c.squares, 1e-5 * c.squares) << c.w;
  }
}

TEST(ClipPixels, EachPictureOfABatchAloneAndConstantsExactly) {
  const Tensor a = ToSignedUnit(Noise(31, 29).view());
  Tensor batch({2, 29, 31, 3});
  std::copy(a.f32().begin(), a.f32().end(), batch.f32().begin());
  std::fill(batch.f32().begin() + a.elements(), batch.f32().end(), 0.5f);
  const Tensor got = ClipPixels(batch, {.size = 20}), alone = ClipPixels(a, {.size = 20});
  EXPECT_TRUE(std::equal(alone.f32().begin(), alone.f32().end(), got.f32().begin()));
  const double want = (0.75 - 0.48145466) / 0.26862954;
  for (int64_t i = 0; i < 400; ++i) {
    ASSERT_NEAR(got.f32()[size_t(alone.elements() + i * 3)], want, 1e-6);
  }
}

// Pictures come as bytes, so that a large one is never held as floats.
TEST(ClipPixels, BytesAsTheFloatsMadeOfThem) {
  const RgbImage image = Noise(300, 229);
  const Tensor got = ClipPixels({DType::kU8, {1, 229, 300, 3}, image.pixels.data()});
  const Tensor want = ClipPixels(ToSignedUnit(image.view()));
  EXPECT_TRUE(std::equal(want.f32().begin(), want.f32().end(), got.f32().begin()));
}

TEST(Fit, APictureThatIsNotNeededAnyMoreIsFramedInPlace) {
  for (const Fit fit : {Fit::kCrop, Fit::kStretch, Fit::kPad}) {
    for (const auto& [w, h] : {std::pair(37, 20), std::pair(20, 37), std::pair(32, 16)}) {
      const RgbImage image = Noise(w, h);
      const RgbImage want = FrameImage(image.view(), 64, 32, fit),
                     got = FrameImage(RgbImage(image), 64, 32, fit);
      EXPECT_EQ(got.width, want.width);
      EXPECT_EQ(got.height, want.height);
      EXPECT_EQ(got.pixels, want.pixels) << w << "x" << h << " " << Name(fit);
      const FrameSizes size = FrameSize(w, h, 64, 32, fit);
      EXPECT_EQ(size.width, want.width);
      EXPECT_EQ(size.height, want.height);
    }
  }
}

TEST(ClipPixels, TheThinnestPictures) {
  for (const RgbImage& image : {Noise(1, 1), Noise(1, 900), Noise(900, 2)}) {
    const Tensor got = ClipPixels(ToSignedUnit(image.view()));
    for (float value : got.f32()) ASSERT_TRUE(std::isfinite(value));
  }
}

TEST(AreaResize, IsTheMeanOfWhatAPixelCovers) {
  const std::vector<float> picture = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};  // 3x4, one channel
  const Tensor image = Tensor::FromVector({1, 3, 4, 1}, picture);
  EXPECT_EQ(AreaResize(image, 3, 4).f32()[5], 6);
  const Tensor one = AreaResize(image, 1, 1);
  EXPECT_FLOAT_EQ(one.f32()[0], 6.5f);
  // 3 rows to 2: the middle one belongs to both by half.
  const Tensor two = AreaResize(image, 2, 2);
  const float upper = (1.5f + 0.5f * 5.5f) / 1.5f;
  EXPECT_NEAR(two.f32()[0], upper, 1e-5);
  EXPECT_NEAR(two.f32()[1], upper + 2, 1e-5);
  // Enlarged, a pixel lies in one.
  EXPECT_EQ(AreaResize(image, 6, 8).f32()[0], 1);
}

}  // namespace
}  // namespace mvd
