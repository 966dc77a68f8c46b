// The contract of the source of single frames: bytes by (seed, index), positions, ranks, and what a crop
// shows.
#include "mvd/data/picture_source.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <set>

#include "mvd/base/error_testing.h"

namespace mvd {
namespace {

// Red rises from left to right, green from top to bottom; blue is the same everywhere.
SynthPhoto Ramp(int width, int height) {
  SynthPhoto photo{width, height, {}};
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      photo.rgb.push_back(uint8_t(x * 255 / (width - 1)));
      photo.rgb.push_back(uint8_t(y * 255 / (height - 1)));
      photo.rgb.push_back(90);
    }
  }
  return photo;
}

PictureOptions Options() {
  PictureOptions options;
  options.seed = 3;
  options.height = 32, options.width = 64;
  options.photos = {Ramp(200, 120)};
  return options;
}

int At(const TrainingClip& clip, int64_t y, int64_t x, int channel) {
  return clip.pixels[size_t((y * clip.width + x) * 3 + channel)];
}

// A part of the ramp: its blue says so.
bool FromThePhoto(const TrainingClip& clip) {
  for (size_t i = 2; i < clip.pixels.size(); i += 3) {
    if (std::abs(int(clip.pixels[i]) - 90) > 1) return false;
  }
  return true;
}

TEST(PictureSource, ClipsAreSingleFramesOfTheSizeAskedFor) {
  const auto source = MakePictureSource(Options());
  for (int i = 0; i < 20; ++i) {
    const TrainingClip clip = source->Next();
    EXPECT_EQ(clip.frames, 1);
    EXPECT_EQ(clip.height, 32);
    EXPECT_EQ(clip.width, 64);
    EXPECT_EQ(clip.pixels.size(), size_t{32 * 64 * 3});
  }
}

TEST(PictureSource, ContinuesAtAPosition) {
  const auto source = MakePictureSource(Options()), other = MakePictureSource(Options());
  for (int i = 0; i < 5; ++i) source->Next();
  other->Seek(source->Position());
  for (int i = 0; i < 8; ++i) EXPECT_EQ(source->Next().pixels, other->Next().pixels) << i;
  ExpectOneLineError(Exit::kBadInput, "pictures:3:0/1:", [&] { other->Seek("synth:3:0/1:4"); });
}

TEST(PictureSource, RanksShareThePictures) {
  PictureOptions second = Options();
  second.rank = 1, second.ranks = 2;
  const auto all = MakePictureSource(Options()), half = MakePictureSource(second);
  for (int i = 0; i < 4; ++i) {
    all->Next();
    EXPECT_EQ(all->Next().pixels, half->Next().pixels) << i;
  }
}

TEST(PictureSource, ShowsPartsOfManySizesBothWaysRound) {
  const auto source = MakePictureSource(Options());
  int photos = 0, mirrored = 0, least = 255, most = 0;
  constexpr int kCount = 200;
  for (int i = 0; i < kCount; ++i) {
    const TrainingClip clip = source->Next();
    if (!FromThePhoto(clip)) continue;
    ++photos;
    const int across = At(clip, 16, 63, 0) - At(clip, 16, 0, 0);
    mirrored += across < 0;
    least = std::min(least, std::abs(across)), most = std::max(most, std::abs(across));
  }
  EXPECT_NEAR(photos, 0.75 * kCount, 4 * 0.43 * 14.2);  // four standard deviations
  EXPECT_NEAR(mirrored, 0.5 * photos, 4 * 0.5 * 12.3);
  // What fits is 200x100 of 200x120 pixels; 48 pixels across is the least without enlarging by more than 4/3.
  EXPECT_GT(most, 235);
  EXPECT_LT(least, 80);
  EXPECT_GT(least, 50);
}

TEST(PictureSource, TheMiddleIsTheMiddle) {
  const TrainingClip clip = MiddleOfPhoto(Ramp(200, 120), 32, 64);
  // Rows 10 to 110 of 120: green from 21 to 234; columns all.
  EXPECT_NEAR(At(clip, 0, 0, 0), 2, 2);
  EXPECT_NEAR(At(clip, 0, 63, 0), 253, 2);
  EXPECT_NEAR(At(clip, 0, 0, 1), 10.0 / 119 * 255 + 3, 3);
  EXPECT_NEAR(At(clip, 31, 0, 1), 109.0 / 119 * 255 - 3, 3);
}

TEST(PictureSource, RefusesWhatCannotBe) {
  PictureOptions options = Options();
  options.photos.clear();
  ExpectOneLineError(Exit::kUsage, "photo", [&] { MakePictureSource(options); });
  options = Options();
  options.height = 8;
  ExpectOneLineError(Exit::kUsage, "height", [&] { MakePictureSource(options); });
  options = Options();
  options.photos[0].rgb.pop_back();
  ExpectOneLineError(Exit::kUsage, "bytes", [&] { MakePictureSource(options); });
}

}  // namespace
}  // namespace mvd
