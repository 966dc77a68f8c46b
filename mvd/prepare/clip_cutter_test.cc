// Resampling by time, windows, cuts, the writer's order and the flow's scale.
#include "mvd/prepare/clip_cutter.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "mvd/base/motion.h"
#include "mvd/base/parallel.h"
#include "mvd/media/scale.h"
#include "mvd/prepare/flow.h"
#include "mvd/prepare/in_order.h"
#include "mvd/prepare/prepare_testing.h"

namespace mvd {
namespace {

ClipShape Shape(int frames, double fps, int stride) {
  ClipShape shape;
  shape.height = 8;
  shape.width = 16;
  shape.frames = frames;
  shape.fps = fps;
  shape.stride = stride;
  return shape;
}

// Frames whose first byte is their number, at `fps`; the numbers of the frames of each clip.
std::vector<std::vector<int>> Cut(const ClipShape& shape, int frames, double fps) {
  std::vector<std::vector<int>> clips;
  ClipCutter cutter(shape, [&](CutClip clip) {
    EXPECT_EQ(clip.thumbnails.size(), clip.frames.size());
    clips.emplace_back();
    for (const Image& frame : clip.frames) {
      EXPECT_EQ(frame.width, shape.width);
      EXPECT_EQ(frame.height, shape.height);
      clips.back().push_back(frame.rgb[0]);
    }
    EXPECT_EQ(clip.first_frame, clips.back().front());
    EXPECT_NEAR(clip.first_seconds, clips.back().front() / fps, 1e-9);
  });
  for (int i = 0; i < frames; ++i) cutter.Add({Flat(32, 16, uint8_t(i)), i / fps});
  cutter.Finish();
  EXPECT_EQ(cutter.frames(), frames);
  EXPECT_EQ(cutter.clips(), int64_t(clips.size()));
  return clips;
}

using Clips = std::vector<std::vector<int>>;

TEST(ClipCutter, TheSameRateTakesEveryFrame) {
  EXPECT_EQ(Cut(Shape(3, 7, 3), 7, 7), (Clips{{0, 1, 2}, {3, 4, 5}}));
  EXPECT_EQ(Cut(Shape(14, 7, 14), 14, 7).size(), 1u);
  EXPECT_EQ(Cut(Shape(14, 7, 14), 13, 7).size(), 0u);
}

TEST(ClipCutter, ResamplesByTimeToTheNearestFrame) {
  // Targets at k / 7 s, frames at i / 25 s: 25 k / 7 = 0, 3.57, 7.14, 10.71, 14.29.
  EXPECT_EQ(Cut(Shape(5, 7, 5), 16, 25), (Clips{{0, 4, 7, 11, 14}}));
  // Half the rate: each frame twice, the tie going to the later one.
  EXPECT_EQ(Cut(Shape(4, 8, 4), 4, 4), (Clips{{0, 1, 1, 2}}));
}

TEST(ClipCutter, RoundedTimestampsLoseNoFrame) {
  Clips clips;
  int count = 0;
  ClipCutter cutter(Shape(14, 7, 14), [&](CutClip clip) {
    ++count;
    EXPECT_EQ(clip.frames.back().rgb[0], 13);
  });
  // A GIF's hundredths of a second: 0.14 for 0.142857.
  for (int i = 0; i < 14; ++i) cutter.Add({Flat(32, 16, uint8_t(i)), 0.14 * i});
  cutter.Finish();
  EXPECT_EQ(count, 1);
}

TEST(ClipCutter, StrideOverlapsAndLeavesGaps) {
  EXPECT_EQ(Cut(Shape(3, 5, 1), 5, 5), (Clips{{0, 1, 2}, {1, 2, 3}, {2, 3, 4}}));
  EXPECT_EQ(Cut(Shape(2, 5, 4), 11, 5), (Clips{{0, 1}, {4, 5}, {8, 9}}));
}

TEST(ClipCutter, NoClipCrossesACut) {
  ClipShape shape = Shape(4, 10, 4);
  std::vector<int64_t> starts;
  ClipCutter cutter(shape, [&](CutClip clip) { starts.push_back(clip.first_frame); });
  for (int i = 0; i < 22; ++i) {
    cutter.Add({i < 10 ? Waves(160, 90, i) : Blocks(160, 90, i), i / 10.0});
  }
  cutter.Finish();
  EXPECT_EQ(cutter.cuts(), 1);
  EXPECT_EQ(starts, (std::vector<int64_t>{0, 4, 10, 14, 18}));
  EXPECT_EQ(cutter.longest_shot(), 12);
}

TEST(Scale, CropsTheCentreAndKeepsFlatColour) {
  // The middle third of three upright bands.
  Image image = Flat(90, 30, 0);
  for (int i = 0; i < 90 * 30; ++i) {
    if (i % 90 >= 30 && i % 90 < 60) image.rgb[size_t(i) * 3 + 1] = 200;
  }
  const Image square = ScaleCrop(image, 10, 10);
  ASSERT_EQ(square.rgb.size(), 300u);
  for (size_t i = 0; i < 300; ++i) EXPECT_EQ(square.rgb[i], i % 3 == 1 ? 200 : 0);
  for (const auto& [width, height] : {std::pair{1, 1}, {17, 3}, {64, 64}, {200, 33}}) {
    EXPECT_EQ(ScaleCrop(Flat(37, 23, 91), width, height).rgb, Flat(width, height, 91).rgb);
  }
}

TEST(Flow, AShiftIsMeasuredInPixelsOfTheFrame) {
  FlowMeter meter;
  // Dense inverse search is no exact method: within a tenth on smooth waves, borders included.
  for (const double step : {1.0, 3.0}) {
    const double flow = meter.MeanFlow(
        std::vector<Image>{Waves(256, 128, 0), Waves(256, 128, step), Waves(256, 128, 2 * step)});
    EXPECT_NEAR(flow, step, 0.1 * step);
  }
  // Twice the size of the pictures in which flow is sought.
  EXPECT_NEAR(meter.MeanFlow(std::vector<Image>{Waves(512, 256, 0), Waves(512, 256, 4)}), 4, 0.4);
  // Sub-pixel steps of a still picture come out as nothing.
  EXPECT_LT(meter.MeanFlow(std::vector<Image>{Waves(256, 128, 0), Waves(256, 128, 0)}), 0.02);
  EXPECT_LT(meter.MeanFlow(std::vector<Image>{Flat(9, 8, 5), Flat(9, 8, 5)}), 0.02);
}

TEST(InOrder, ResultsComeInTheOrderOfItems) {
  for (int round = 0; round < 20; ++round) {
    std::vector<int> taken;
    InOrder<int> order([&](int value) { taken.push_back(value); }, 2);
    std::atomic<int> next{0};
    ParallelFor({4}, 4, [&](int64_t, int) {
      for (int item; (item = next++) < 30;) {
        if (item % 7 == 0) std::this_thread::sleep_for(std::chrono::microseconds(300));
        for (int i = 0; i < item % 5; ++i) order.Push(item, item * 10 + i);
        order.Done(item);
      }
    });
    std::vector<int> expected;
    for (int item = 0; item < 30; ++item) {
      for (int i = 0; i < item % 5; ++i) expected.push_back(item * 10 + i);
    }
    ASSERT_EQ(taken, expected);
  }
}

TEST(InOrder, AFailureEndsEveryThread) {
  InOrder<int> order(
      [](int value) {
        if (value == 3) throw std::runtime_error("full");
      },
      1);
  std::atomic<int> next{0};
  EXPECT_THROW(ParallelFor({3}, 3,
                           [&](int64_t, int) {
                             for (int item; (item = next++) < 9;) {
                               order.Push(item, item);
                               order.Push(item, item);
                               order.Done(item);
                             }
                           }),
               InOrder<int>::Aborted);
  ASSERT_TRUE(order.failure());
  EXPECT_THROW(std::rethrow_exception(order.failure()), std::runtime_error);
}

}  // namespace
}  // namespace mvd
