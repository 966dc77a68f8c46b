// Cuts and repeated frames on frames drawn here.
#include "mvd/prepare/cuts.h"

#include <gtest/gtest.h>

#include "mvd/prepare/prepare_testing.h"

namespace mvd {
namespace {

std::vector<int> CutsIn(const std::vector<Image>& frames, double threshold = ClipShape{}.cut_threshold) {
  CutDetector detector(threshold);
  std::vector<int> cuts;
  for (size_t i = 0; i < frames.size(); ++i) {
    if (detector.IsCut(MakeThumbnail(frames[i]))) cuts.push_back(int(i));
  }
  return cuts;
}

TEST(Cuts, ScoreOfEqualAndOfOppositePictures) {
  const Thumbnail black = MakeThumbnail(Flat(64, 36, 0)), white = MakeThumbnail(Flat(64, 36, 255));
  EXPECT_EQ(CutScore(black, black), 0);
  // The histogram moved whole: its sum of 2304 equal parts is 1 to f32's rounding, 2304 * 6e-8.
  EXPECT_NEAR(CutScore(black, white), 1, 2e-4);
  EXPECT_EQ(LargestDifference(black, white), 255);
}

TEST(Cuts, ThumbnailAveragesAreasOfAnySize) {
  // Columns of 0 and 200 in turn: cells of two columns are 100 throughout.
  Image stripes = Flat(128, 36, 0);
  for (size_t i = 0; i < stripes.rgb.size(); ++i) stripes.rgb[i] = i / 3 % 2 ? 200 : 0;
  const Thumbnail thumbnail = MakeThumbnail(stripes);
  EXPECT_EQ(thumbnail.rgb, std::vector<uint8_t>(64 * 36 * 3, 100));
  for (const auto& [width, height] : {std::pair{1, 1}, {7, 5}, {65, 37}, {63, 35}}) {
    EXPECT_EQ(MakeThumbnail(Flat(width, height, 77)).rgb, std::vector<uint8_t>(64 * 36 * 3, 77));
  }
}

TEST(Cuts, FoundWhereShotsMeet) {
  std::vector<Image> frames;
  for (int t = 0; t < 10; ++t) frames.push_back(Waves(160, 90, t));
  for (int t = 0; t < 10; ++t) frames.push_back(Blocks(160, 90, t));
  for (int t = 0; t < 10; ++t) frames.push_back(Waves(160, 90, 100 + t));
  EXPECT_EQ(CutsIn(frames), (std::vector<int>{10, 20}));
  EXPECT_TRUE(CutsIn(frames, 1.5).empty());
}

TEST(Cuts, AFastCameraIsNoCut) {
  std::vector<Image> frames;
  for (int t = 0; t < 40; ++t) frames.push_back(Waves(160, 90, 12 * t));  // a fifth of a period a frame
  EXPECT_TRUE(CutsIn(frames).empty());
}

TEST(Cuts, ASlowFadeIsNoCut) {
  std::vector<Image> frames;
  for (int t = 0; t <= 25; ++t) {
    Image image = Waves(160, 90, 0);
    for (uint8_t& value : image.rgb) value = uint8_t(value * t / 25);
    frames.push_back(image);
  }
  EXPECT_TRUE(CutsIn(frames).empty());
}

TEST(Cuts, ASmallThingThatMovesIsNotTheSamePicture) {
  Image a = Flat(320, 180, 100), b = a;
  EXPECT_EQ(LargestDifference(MakeThumbnail(a), MakeThumbnail(b)), 0);
  for (int y = 90; y < 95; ++y) {
    for (int x = 160; x < 165; ++x) b.rgb[size_t(y * 320 + x) * 3] = 200;
  }
  // One cell is 5 x 5 pixels.
  EXPECT_EQ(LargestDifference(MakeThumbnail(a), MakeThumbnail(b)), 100);
  EXPECT_LT(CutScore(MakeThumbnail(a), MakeThumbnail(b)), 0.01);
}

}  // namespace
}  // namespace mvd
