// Motion of clips: what procedural scenes say of it, as latents, mirrored, and mixed from several sources.
#include <gtest/gtest.h>

#include <cmath>

#include "mvd/base/error_testing.h"
#include "mvd/data/mixed_source.h"
#include "mvd/data/motion_latents.h"
#include "mvd/data/synth.h"

namespace mvd {
namespace {

SynthOptions Small() {
  SynthOptions options;
  options.seed = 7, options.height = 64, options.width = 96, options.frames = 6;
  options.pace = 0.12;
  return options;
}

int64_t Cells(int64_t side) { return (side + kMotionCell - 1) / kMotionCell; }

// Mean absolute error, in levels, of frame `t` painted from the first frame where all of a cell is visible;
// of the first frame itself there where not `moved`.
double ErrorOf(const TrainingClip& clip, int64_t t, bool moved) {
  const int64_t rows = Cells(clip.height), columns = Cells(clip.width);
  const double diagonal = std::hypot(double(clip.height), double(clip.width));
  double sum = 0, count = 0;
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t column = 0; column < columns; ++column) {
      const float* cell = &clip.motion[size_t(((t * rows + row) * columns + column) * kMotionValues)];
      const int64_t y = row * kMotionCell + kMotionCell / 2, x = column * kMotionCell + kMotionCell / 2;
      const auto there_x = x + std::llround(moved ? cell[0] * diagonal : 0),
                 there_y = y + std::llround(moved ? cell[1] * diagonal : 0);
      if (cell[2] < 1 || there_x < 0 || there_y < 0 || there_x >= clip.width || there_y >= clip.height)
        continue;
      for (int64_t c = 0; c < 3; ++c) {
        const int now = clip.pixels[size_t(((t * clip.height + y) * clip.width + x) * 3 + c)];
        const int first = clip.pixels[size_t((there_y * clip.width + there_x) * 3 + c)];
        sum += std::abs(now - first), count += 1;
      }
    }
  }
  return count > 0 ? sum / count : 0;
}

TEST(Motion, OfProceduralClipsFindsTheFirstFrame) {
  for (const char* kind : {"hills", "balls", "flight", "closeup", "city", "shapes"}) {
    SynthOptions options = Small();
    options.kind = kind;
    double moved = 0, still = 0;
    for (uint64_t i = 0; i < 4; ++i) {
      const TrainingClip clip = RenderSynthClip(options, i).clip;
      ASSERT_EQ(int64_t(clip.motion.size()), 6 * Cells(64) * Cells(96) * kMotionValues);
      moved += ErrorOf(clip, 5, true), still += ErrorOf(clip, 5, false);
    }
    EXPECT_LT(moved, 0.75 * still) << kind;
  }
}

// One cell with a known way and hidden by half.
TrainingClip OneCell() {
  TrainingClip clip;
  clip.frames = 3, clip.height = 16, clip.width = 16,
  clip.motion_bucket_id = 127.5;  // kMiddleMotion per frame
  clip.pixels.assign(3 * 16 * 16 * 3, 0);
  clip.motion.assign(3 * 2 * 2 * size_t(kMotionValues), 0);
  for (size_t i = 2; i < clip.motion.size(); i += 3) clip.motion[i] = 1;
  float* const cell = &clip.motion[(1 * 4 + 1) * 3];  // frame 1, row 0, column 1
  cell[0] = float(kMiddleMotion), cell[1] = float(-2 * kMiddleMotion), cell[2] = 0.5f;
  return clip;
}

TEST(Motion, LatentsAreInUnitsOfWhatTheBucketAsks) {
  const std::vector<float> latents = MotionLatents(OneCell(), 16);
  ASSERT_EQ(int64_t(latents.size()), 3 * MotionChannels(16));
  const std::vector<float> expected = {0, 0, 1, 1, -2, 0, 0, 0, 1, 0, 0, 1};
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_NEAR(latents[12 + i], expected[i], 1e-5) << i;
    EXPECT_EQ(latents[i], latents[12 + i]) << "the first frame takes the second one's";
  }
  EXPECT_EQ(MotionTravel(127.5, 0), 0);
  EXPECT_NEAR(MotionTravel(127.5, 3), 3 * kMiddleMotion, 1e-12);
  EXPECT_NEAR(MotionBucket(MotionPerFrame(90) * std::hypot(30, 40), 30, 40), 90, 1e-9);
}

TEST(Motion, LatentsAreShortenedAndNeedMotion) {
  TrainingClip clip = OneCell();
  clip.motion[(1 * 4 + 1) * 3] = 1;
  const std::vector<float> latents = MotionLatents(clip, 16);
  EXPECT_NEAR(std::hypot(latents[12 + 3], latents[12 + 4]), kMostMotion, 1e-4);
  clip.motion.clear();
  ExpectOneLineError(Exit::kBadInput, "holds no motion", [&] { MotionLatents(clip, 16); });
}

TEST(Mirror, TurnsPixelsAndMotion) {
  TrainingClip clip = OneCell();
  clip.pixels[3 * 2] = 200;  // row 0, column 2, red
  Mirror(clip);
  EXPECT_EQ(clip.pixels[3 * 13], 200);
  EXPECT_FLOAT_EQ(clip.motion[(1 * 4 + 0) * 3], float(-kMiddleMotion));
  EXPECT_FLOAT_EQ(clip.motion[(1 * 4 + 0) * 3 + 1], float(-2 * kMiddleMotion));
  EXPECT_FLOAT_EQ(clip.motion[(1 * 4 + 0) * 3 + 2], 0.5f);
}

std::unique_ptr<ClipSource> Mix(int rank, int ranks) {
  std::vector<WeightedSource> sources;
  for (const char* kind : {"hills", "balls"}) {
    SynthOptions options = Small();
    options.frames = 2, options.height = 16, options.width = 16, options.kind = kind;
    options.rank = rank, options.ranks = ranks;
    sources.push_back({MakeSynthSource(options), kind[0] == 'h' ? 3.0 : 1.0, true});
  }
  return MakeMixedSource(std::move(sources), 5, rank, ranks);
}

TEST(MixedSource, DrawsByWeightAndGoesOnWhereItWas) {
  const auto source = Mix(0, 2);
  int64_t hills = 0;
  for (int i = 0; i < 200; ++i) hills += source->Next().kind == 0;
  EXPECT_NEAR(hills, 150, 25);
  const std::string position = source->Position();
  const TrainingClip next = source->Next();
  const auto other = Mix(0, 2);
  other->Seek(position);
  const TrainingClip again = other->Next();
  EXPECT_EQ(next.pixels, again.pixels);
  EXPECT_EQ(next.motion, again.motion);
  ExpectOneLineError(Exit::kBadInput, "2 sources", [&] { Mix(0, 1)->Seek(position); });
}

}  // namespace
}  // namespace mvd
