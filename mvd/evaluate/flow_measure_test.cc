#include "mvd/evaluate/flow_measure.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "mvd/base/error.h"
#include "mvd/data/synth.h"

namespace mvd {
namespace {

struct Point {
  double x, y;
};

// Sines of 11 to 73 pixels' period, in [0.08,0.92]; each colour's differ.
float Texture(Point p, int colour) {
  return float(0.5 + 0.16 * std::sin(0.57 * p.x + 0.17 * p.y + colour) +
               0.14 * std::sin(-0.13 * p.x + 0.37 * p.y + 1 + colour) +
               0.12 * std::sin(0.05 * p.x + 0.07 * p.y));
}

// Two frames, the second of which shows at moved(p) what the first shows at p; `back` is moved's inverse.
FloatClip Moved(int64_t height, int64_t width, const std::function<Point(Point)>& back) {
  FloatClip clip{2, height, width, {}};
  for (int t = 0; t < 2; ++t) {
    for (int64_t i = 0; i < height * width; ++i) {
      const Point p{double(i % width), double(i / width)};
      for (int c = 0; c < 3; ++c) clip.rgb.push_back(Texture(t == 0 ? p : back(p), c));
    }
  }
  return clip;
}

std::vector<float> Truth(int64_t height, int64_t width, const std::function<Point(Point)>& moved) {
  std::vector<float> flow;
  for (int64_t i = 0; i < height * width; ++i) {
    const Point p{double(i % width), double(i / width)}, to = moved(p);
    flow.push_back(float(to.x - p.x)), flow.push_back(float(to.y - p.y));
  }
  return flow;
}

double ErrorOfShift(int64_t height, int64_t width, double dx, double dy) {
  const FloatClip clip = Moved(height, width, [&](Point p) { return Point{p.x - dx, p.y - dy}; });
  return EndPointError(OpticalFlow(clip), Truth(height, width, [&](Point p) {
                         return Point{p.x + dx, p.y + dy};
                       }));
}

// Over all pixels, those that leave the frame too. Measured errors are a third of the bound or less.
TEST(FlowMeasureTest, ShiftsOfASmoothTexture) {
  EXPECT_LT(ErrorOfShift(96, 160, 1.5, -0.7), 0.1);
  EXPECT_LT(ErrorOfShift(96, 160, 4, 0), 0.1);
  EXPECT_LT(ErrorOfShift(75, 101, 1.5, -0.7), 0.1);  // sides that do not halve evenly
  EXPECT_LT(ErrorOfShift(12, 20, 0.5, 0.25), 0.1);   // one level alone
}

// More than half of the texture's shortest period: the fine levels alone would find the wrong wave.
TEST(FlowMeasureTest, ShiftsThatOnlyThePyramidTells) {
  EXPECT_LT(ErrorOfShift(96, 160, -3, -6), 0.1);
  EXPECT_LT(ErrorOfShift(96, 160, -6, 3.5), 0.1);
  EXPECT_LT(ErrorOfShift(96, 160, -9, -8), 0.1);
}

TEST(FlowMeasureTest, AZoom) {
  const auto zoomed = [](double by) {
    return [by](Point p) { return Point{80 + (p.x - 80) * by, 48 + (p.y - 48) * by}; };
  };
  const std::vector<float> truth = Truth(96, 160, zoomed(1.05));
  EXPECT_GT(MeanFlow(truth), 2);
  EXPECT_LT(EndPointError(OpticalFlow(Moved(96, 160, zoomed(1 / 1.05))), truth), 0.2);
}

TEST(FlowMeasureTest, StillAndFlatFramesDoNotMove) {
  const FloatClip still = Moved(48, 64, [](Point p) { return p; });
  EXPECT_LT(MeanFlow(OpticalFlow(still)), 1e-6);
  const FloatClip flat{3, 48, 64, std::vector<float>(3 * 48 * 64 * 3, 0.5f)};
  EXPECT_EQ(MeanFlow(OpticalFlow(flat)), 0);
}

// Against the flow that the renderer knows: places, lenses and covering as films have them.
TEST(FlowMeasureTest, ARenderedClip) {
  SynthOptions options;
  options.kind = "closeup";
  for (uint64_t index = 0; index < 2; ++index) {
    const SynthClip synth = RenderSynthClip(options, index);
    FloatClip clip{synth.clip.frames, synth.clip.height, synth.clip.width, {}};
    for (uint8_t value : synth.clip.pixels) clip.rgb.push_back(float(value) / 255);
    const std::vector<float> flow = OpticalFlow(clip);
    const double error = EndPointError(flow, synth.flow), motion = MeanFlow(synth.flow);
    EXPECT_GT(motion, 1);
    EXPECT_LT(error, 0.25 * motion);
    EXPECT_NEAR(MeanFlow(flow), motion, 0.25 * motion);
  }
}

TEST(FlowMeasureTest, ThreadsAndOtherFramesDoNotChangeAPair) {
  FloatClip clip = Moved(48, 64, [](Point p) { return Point{p.x - 1, p.y - 2}; });
  const std::vector<float> pair = OpticalFlow(clip);
  const std::vector<float> first(clip.Frame(0).begin(), clip.Frame(0).end());
  clip.rgb.insert(clip.rgb.end(), first.begin(), first.end()), clip.frames = 3;
  const std::vector<float> both = OpticalFlow(clip, Threads{.count = 2, .pin = false});
  ASSERT_EQ(both.size(), 2 * pair.size());
  EXPECT_TRUE(std::equal(pair.begin(), pair.end(), both.begin()));
}

TEST(FlowMeasureTest, UnusualClips) {
  EXPECT_TRUE(OpticalFlow({1, 16, 16, std::vector<float>(16 * 16 * 3)}).empty());
  EXPECT_EQ(OpticalFlow({2, 1, 1, {0, 0, 0, 1, 1, 1}}), std::vector<float>(2));
  // Pixels outside [0,1] are clamped: these frames are equal.
  EXPECT_EQ(OpticalFlow({2, 1, 2, {1, 1, 1, 0, 0, 0, 1e30f, 1e30f, 1e30f, -5, -5, -5}}),
            std::vector<float>(4));
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THROW(OpticalFlow({2, 1, 1, {0, 0, 0, 0, nan, 0}}), Error);
}

TEST(FlowMeasureTest, FiguresByHand) {
  const std::vector<float> flow = {3, 4, 0, 0}, truth = {3, 4, 5, -12};
  EXPECT_DOUBLE_EQ(MeanFlow(flow), 2.5);
  EXPECT_DOUBLE_EQ(EndPointError(flow, truth), 6.5);
  EXPECT_EQ(MeanFlow({}), 0);
  EXPECT_EQ(EndPointError({}, {}), 0);
}

TEST(IsDynamicTest, CountsPairsWhoseFastestTwentiethMoves) {
  // 14 frames of 20x20: six 256ths of 20 pixels are 0.47; a twentieth is 20 pixels; 3.5 pairs round to 4.
  const auto flow = [](int pairs, int moving_pixels, float length) {
    std::vector<float> values(13 * 400 * 2, 0);
    for (int pair = 0; pair < pairs; ++pair)
      for (int i = 0; i < moving_pixels; ++i) values[size_t((pair * 400 + i) * 2)] = length;
    return values;
  };
  EXPECT_TRUE(IsDynamic(flow(4, 20, 0.5f), 20, 20));
  EXPECT_FALSE(IsDynamic(flow(3, 20, 0.5f), 20, 20));
  EXPECT_FALSE(IsDynamic(flow(13, 20, 0.45f), 20, 20));
  EXPECT_FALSE(IsDynamic(flow(13, 10, 0.9f), 20, 20));  // a mean of 0.45
  EXPECT_TRUE(IsDynamic(flow(13, 10, 1.0f), 20, 20));
  EXPECT_FALSE(IsDynamic({}, 20, 20));
}

}  // namespace
}  // namespace mvd
