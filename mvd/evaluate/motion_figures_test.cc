// Measures of clips that move a picture, on clips whose answer is known; and that they rank the baselines as
// a person would.
#include "mvd/evaluate/motion_figures.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <string>

#include "mvd/data/synth.h"
#include "mvd/evaluate/baselines.h"
#include "mvd/evaluate/evaluation.h"
#include "mvd/evaluate/flow_measure.h"

namespace mvd {
namespace {

SynthClip Scene(const char* kind) {
  SynthOptions options;
  options.seed = 11, options.height = 64, options.width = 96, options.frames = 6;
  options.pace = 0.15, options.kind = kind;
  return RenderSynthClip(options, 2);
}

std::map<std::string, FloatClip> AllOf(const FloatClip& real) {
  std::map<std::string, FloatClip> clips{{"real", real}};
  const double motion = MeanFlow(OpticalFlow(real));
  for (const Baseline& baseline : Baselines())
    clips[std::string(baseline.name)] = baseline.make(real, motion, 3);
  return clips;
}

TEST(MotionFigures, RankTheBaselines) {
  const SynthClip scene = Scene("closeup");
  const auto clips = AllOf(ToFloat(scene.clip));
  const auto flow = [&](const char* name) { return OpticalFlow(clips.at(name)); };
  const auto error = [&](const char* name) { return EndPointError(flow(name), scene.flow); };
  EXPECT_LT(error("real"), 0.5 * error("still"));
  EXPECT_GT(error("reversed"), error("still")) << "backwards is worse than not at all";
  EXPECT_LT(EdgeStrength(clips.at("blurred"), 0), 0.8 * EdgeStrength(clips.at("real"), 0));
  const auto warp = [&](const char* name) { return WarpError(clips.at(name), flow(name)); };
  EXPECT_EQ(warp("still"), 0);
  EXPECT_GT(warp("grain"), 1.2 * warp("real"));
  EXPECT_GT(warp("noise"), 5 * warp("real"));
}

TEST(MotionFigures, AZoomIsAsFastAsTheRealClip) {
  const FloatClip real = ToFloat(Scene("closeup").clip);
  const double motion = 1.5;
  const FloatClip zoomed = Baselines()[1].make(real, motion, 0);
  ASSERT_EQ(Baselines()[1].name, "zoomed");
  const std::vector<float> flow = OpticalFlow(zoomed);
  EXPECT_NEAR(MeanFlow(flow), motion, 0.3);
  EXPECT_GT(SimilarityShare(flow, real.height, real.width), 0.9);
  EXPECT_GT(ExplainedByFirst(zoomed), 28);
  EXPECT_EQ(Psnr(zoomed.Frame(0), real.Frame(0)), INFINITY);
}

TEST(MotionFigures, WhatDissolvesIsNotExplained) {
  FloatClip clip = ToFloat(Scene("closeup").clip);
  const FloatClip other = ToFloat(Scene("balls").clip);
  const size_t frame = size_t(clip.height * clip.width * 3);
  for (int64_t t = 0; t < clip.frames; ++t) {
    const float share = float(t) / float(clip.frames - 1);
    for (size_t i = 0; i < frame; ++i)
      clip.rgb[size_t(t) * frame + i] = (1 - share) * clip.rgb[i] + share * other.rgb[i];
  }
  EXPECT_LT(ExplainedByFirst(clip), 20);
}

// A flow (1,H,W,2) by a function of the place about the middle.
template <class F>
std::vector<float> FlowOf(int64_t height, int64_t width, const F& at) {
  std::vector<float> flow;
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x) {
      const auto [dx, dy] = at(double(x) - double(width - 1) / 2, double(y) - double(height - 1) / 2);
      flow.push_back(float(dx)), flow.push_back(float(dy));
    }
  }
  return flow;
}

TEST(MotionFigures, SimilarityAndCosine) {
  using Pair = std::pair<double, double>;
  const auto zoom =
      FlowOf(8, 10, [](double x, double y) { return Pair(2 + 0.1 * x - 0.05 * y, -1 + 0.05 * x + 0.1 * y); });
  EXPECT_NEAR(SimilarityShare(zoom, 8, 10), 1, 1e-6);
  const auto parts = FlowOf(8, 10, [](double, double y) { return Pair(y < 0 ? 1 : -1, 0); });  // a shear
  EXPECT_LT(SimilarityShare(parts, 8, 10), 0.5);
  const auto right = FlowOf(8, 10, [](double, double) { return Pair(1, 0); });
  const auto down = FlowOf(8, 10, [](double, double) { return Pair(0, 3); });
  EXPECT_NEAR(FlowCosine(right, right), 1, 1e-9);
  EXPECT_NEAR(FlowCosine(right, down), 0, 1e-9);
  EXPECT_EQ(FlowCosine(right, std::vector<float>(right.size(), 0)), 0);
}

}  // namespace
}  // namespace mvd
