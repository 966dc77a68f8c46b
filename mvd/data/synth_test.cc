// The contract of the procedural source: the same bytes by (seed, index), positions, ranks, and flow that
// maps one frame onto the next.
#include "mvd/data/synth.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "mvd/base/error_testing.h"
#include "mvd/base/motion.h"
#include "mvd/data/noise_map.h"
#include "mvd/data/synth_math.h"

namespace mvd {
namespace {

SynthOptions Small(int64_t frames = 4) {
  SynthOptions options;
  options.seed = 5;
  options.frames = frames;
  options.height = 48;
  options.width = 80;
  return options;
}

// A picture with detail everywhere: soft waves, no flat part.
SynthPhoto Photo() {
  SynthPhoto photo{130, 90, {}};
  for (int y = 0; y < photo.height; ++y) {
    for (int x = 0; x < photo.width; ++x) {
      for (int c = 0; c < 3; ++c) {
        photo.rgb.push_back(
            uint8_t(127 + 60 * std::sin(0.21 * x + 0.1 * y + c) + 50 * std::sin(0.27 * y - c)));
      }
    }
  }
  return photo;
}

// Mean absolute difference, in levels, of frame t at p and frame t + 1 at p + sign * flow (bilinear), over
// the pixels that stay within the frame; the worst `drop` share of pixels is left out (occlusions).
double WarpError(const SynthClip& made, int64_t t, float sign, double drop) {
  const TrainingClip& clip = made.clip;
  const int64_t w = clip.width, h = clip.height;
  const uint8_t* now = &clip.pixels[size_t(t * w * h * 3)];
  const uint8_t* next = now + w * h * 3;
  std::vector<double> errors;
  for (int64_t y = 0; y < h; ++y) {
    for (int64_t x = 0; x < w; ++x) {
      const float* flow = &made.flow[size_t(((t * h + y) * w + x) * 2)];
      const double u = double(x) + sign * flow[0], v = double(y) + sign * flow[1];
      if (u < 0 || v < 0 || u > double(w - 1) || v > double(h - 1)) continue;
      const int64_t iu = std::min(int64_t(u), w - 2), iv = std::min(int64_t(v), h - 2);
      const double fu = u - double(iu), fv = v - double(iv);
      double error = 0;
      for (int c = 0; c < 3; ++c) {
        const auto at = [&](int64_t i, int64_t j) { return double(next[(j * w + i) * 3 + c]); };
        const double got = (1 - fv) * ((1 - fu) * at(iu, iv) + fu * at(iu + 1, iv)) +
                           fv * ((1 - fu) * at(iu, iv + 1) + fu * at(iu + 1, iv + 1));
        error += std::abs(got - double(now[(y * w + x) * 3 + c])) / 3;
      }
      errors.push_back(error);
    }
  }
  std::sort(errors.begin(), errors.end());
  errors.resize(size_t(double(errors.size()) * (1 - drop)));
  double sum = 0;
  for (double e : errors) sum += e;
  return sum / double(std::max(errors.size(), size_t{1}));
}

TEST(Synth, SameSeedAndIndexGiveTheSameBytes) {
  for (uint64_t index : {0u, 1u, 77u}) {
    const SynthClip a = RenderSynthClip(Small(), index), b = RenderSynthClip(Small(), index);
    EXPECT_EQ(a.clip.pixels, b.clip.pixels);
    EXPECT_EQ(a.flow, b.flow);
    EXPECT_NE(a.clip.pixels, RenderSynthClip(Small(), index + 1).clip.pixels);
    SynthOptions other = Small();
    other.seed = 6;
    EXPECT_NE(a.clip.pixels, RenderSynthClip(other, index).clip.pixels);
  }
}

TEST(Synth, ClipCarriesItsShapeAndName) {
  const SynthClip made = RenderSynthClip(Small(), 12);
  EXPECT_EQ(made.clip.name, "synth:5:12");
  EXPECT_EQ(made.clip.pixels.size(), 4u * 48 * 80 * 3);
  EXPECT_EQ(made.flow.size(), 3u * 48 * 80 * 2);
  EXPECT_EQ(made.clip.motion_bucket_id, MotionBucket(made.mean_flow, 48, 80));
}

TEST(Synth, RanksShareOutTheClipsOfOneRank) {
  const auto whole = MakeSynthSource(Small(2));
  std::vector<std::vector<uint8_t>> want;
  for (int i = 0; i < 6; ++i) want.push_back(whole->Next().pixels);
  for (int64_t rank = 0; rank < 3; ++rank) {
    SynthOptions options = Small(2);
    options.rank = rank, options.ranks = 3;
    const auto source = MakeSynthSource(options);
    for (int64_t i = 0; i < 2; ++i) {
      const TrainingClip clip = source->Next();
      EXPECT_EQ(clip.name, "synth:5:" + std::to_string(rank + 3 * i));
      EXPECT_EQ(clip.pixels, want[size_t(rank + 3 * i)]);
    }
  }
}

TEST(Synth, SourceAndSingleClipAgree) {
  const auto source = MakeSynthSource(Small());
  const TrainingClip clip = source->Next();
  const SynthClip alone = RenderSynthClip(Small(), 0);
  EXPECT_EQ(clip.pixels, alone.clip.pixels);
  EXPECT_EQ(clip.motion_bucket_id, alone.clip.motion_bucket_id);
}

TEST(Synth, SeekContinuesAfterThePosition) {
  SynthOptions options = Small(2);
  options.rank = 1, options.ranks = 2;
  const auto source = MakeSynthSource(options);
  source->Next();
  const std::string position = source->Position();
  EXPECT_EQ(position, "synth:5:1/2:3");
  const TrainingClip want = source->Next();
  const auto other = MakeSynthSource(options);
  other->Seek(position);
  EXPECT_EQ(other->Position(), position);
  const TrainingClip got = other->Next();
  EXPECT_EQ(got.name, want.name);
  EXPECT_EQ(got.pixels, want.pixels);
}

TEST(Synth, ForeignPositionsAreRefused) {
  const auto source = MakeSynthSource(Small());
  for (const char* position : {"", "synth:5:0/1:", "synth:5:0/1:x", "synth:5:0/1:3x", "synth:5:0/1:-3",
                               "synth:5:0/1: 3", "synth:6:0/1:3", "synth:5:0/2:4", "shards:0:1"}) {
    ExpectOneLineError(Exit::kBadInput, "position", [&] { source->Seek(position); });
  }
  EXPECT_EQ(source->Position(), "synth:5:0/1:0");
}

TEST(Synth, WrongOptionsAreUsageErrors) {
  const auto with = [](auto change) {
    SynthOptions options = Small();
    change(options);
    return [options] { RenderSynthClip(options, 0); };
  };
  ExpectOneLineError(Exit::kUsage, "frames is 1", with([](SynthOptions& o) { o.frames = 1; }));
  ExpectOneLineError(Exit::kUsage, "height is 15", with([](SynthOptions& o) { o.height = 15; }));
  ExpectOneLineError(Exit::kUsage, "width is 5000", with([](SynthOptions& o) { o.width = 5000; }));
  ExpectOneLineError(Exit::kUsage, "fps is nan", with([](SynthOptions& o) { o.fps = std::nan(""); }));
  ExpectOneLineError(Exit::kUsage, "'moon'", with([](SynthOptions& o) { o.kind = "moon"; }));
  ExpectOneLineError(Exit::kUsage, "photos", with([](SynthOptions& o) { o.kind = "photo"; }));
  ExpectOneLineError(Exit::kUsage, "bytes", with([](SynthOptions& o) { o.photos = {{4, 4, {1, 2, 3}}}; }));
  ExpectOneLineError(Exit::kUsage, "rank is 2", with([](SynthOptions& o) { o.rank = 2, o.ranks = 2; }));
}

TEST(Synth, EveryKindMakesPicturesThatMove) {
  for (const SynthKind& kind : SynthKinds()) {
    SynthOptions options = Small();
    options.kind = kind.name;
    options.pace = 0.4;
    options.photos = {Photo()};
    const SynthClip made = RenderSynthClip(options, 3);
    EXPECT_EQ(made.kind, kind.name);
    EXPECT_EQ(made.exact_flow, kind.exact_flow);
    const size_t frame = 48 * 80 * 3;
    const auto first = made.clip.pixels.begin(), last = made.clip.pixels.end() - ptrdiff_t(frame);
    EXPECT_GT(std::set<uint8_t>(first, first + ptrdiff_t(frame)).size(), 16u) << kind.name;
    EXPECT_FALSE(std::equal(first, first + ptrdiff_t(frame), last)) << kind.name;
    EXPECT_GT(made.mean_flow, 0) << kind.name;
    for (float x : made.flow) ASSERT_TRUE(std::isfinite(x)) << kind.name;
  }
}

TEST(Synth, AllKindsAreDrawn) {
  SynthOptions options = Small(2);
  options.height = 16, options.width = 16;
  options.photos = {Photo()};
  std::set<std::string> seen;
  // 20 equal chances: each is missed by 300 draws with a probability of 2e-7. The draws are fixed by the
  // seed.
  for (uint64_t i = 0; i < 300; ++i) seen.insert(RenderSynthClip(options, i).kind);
  EXPECT_EQ(seen.size(), SynthKinds().size());
}

// Bilinear warping blurs fine texture, shading changes a little, and about a tenth of the pixels is covered
// or soft: so the error may not vanish, but it must be small against that of the negated flow.
TEST(Synth, FlowCarriesEachFrameOntoTheNext) {
  for (const SynthKind& kind : SynthKinds()) {
    if (!kind.exact_flow) continue;
    SynthOptions options = Small(3);
    options.height = 96, options.width = 160;
    options.kind = kind.name;
    options.pace = 0.25;
    options.photos = {Photo()};
    double forward = 0, backward = 0;
    for (uint64_t index = 0; index < 3; ++index) {
      const SynthClip made = RenderSynthClip(options, index);
      for (int64_t t = 0; t < 2; ++t) {
        forward += WarpError(made, t, 1, 0.12) / 6;
        backward += WarpError(made, t, -1, 0.12) / 6;
      }
    }
    EXPECT_LT(forward, 2.5) << kind.name;
    EXPECT_LT(forward, 0.5 * backward) << kind.name;
  }
}

TEST(Synth, MotionBucketRisesWithThePace) {
  for (const char* kind : {"hills", "closeup", "flight", "photo"}) {
    SynthOptions options = Small();
    options.kind = kind;
    options.photos = {Photo()};
    double last = 0;
    for (double pace : {0.01, 0.05, 0.2, 0.6}) {
      options.pace = pace;
      const double bucket = RenderSynthClip(options, 9).clip.motion_bucket_id;
      EXPECT_GT(bucket, last) << kind << " at " << pace;
      last = bucket;
    }
    EXPECT_LT(last, 255);
  }
}

TEST(Synth, MotionBucketFormula) {
  EXPECT_EQ(MotionBucket(0, 30, 40), 0);
  EXPECT_DOUBLE_EQ(MotionBucket(0.15, 30, 40), 127.5);  // 0.3 percent of a diagonal of 50
  EXPECT_NEAR(MotionBucket(1e9, 30, 40), 255, 1e-6);
}

TEST(Synth, HalfTheFramesASecondMoveTwiceAsFar) {
  SynthOptions options = Small(2);
  options.kind = "flight";
  options.pace = 0.05;
  options.fps = 20;
  const double fast_rate = RenderSynthClip(options, 2).mean_flow;
  options.fps = 10;
  // Not to the bit: paths are curved.
  EXPECT_NEAR(RenderSynthClip(options, 2).mean_flow / fast_rate, 2, 0.1);
}

TEST(SynthMath, AgreesWithLibm) {
  const double turn = 6.283185307179586;
  for (int i = -400; i <= 400; ++i) {
    const double x = i * 0.0137;
    EXPECT_NEAR(synth::Sin(x), std::sin(turn * x), 5e-6);
    EXPECT_NEAR(synth::Exp2(x), std::exp2(x), 3e-6 * std::exp2(x));
    const float s = float(std::sin(turn * x)), c = float(std::cos(turn * x));
    EXPECT_NEAR(synth::Atan2(s, c), std::atan2(s, c) / turn, 3e-5);
    EXPECT_NEAR(synth::Acos(c), std::acos(c) / turn, 2e-5);
  }
}

TEST(SynthMath, InverseUndoesAProjectiveMap) {
  const synth::Mat3 map{{1.5, 0.2, -3, -0.4, 0.9, 7, 0.01, 0.02, 1.3}};
  const auto [u, v] = map(11, -5);
  const auto [x, y] = map.Inverse()(u, v);
  EXPECT_NEAR(x, 11, 1e-9);
  EXPECT_NEAR(y, -5, 1e-9);
}

TEST(SynthNoise, PeriodicNoiseMeetsAtTheEdges) {
  const synth::Map map = synth::FractalNoise(64, 64, {}, {4, 8, 3, 0.5, 9, true});
  // Neighbours across the seam differ no more than neighbours elsewhere.
  float inside = 0, across = 0;
  for (int y = 0; y < 64; ++y) {
    for (int x = 0; x + 1 < 64; ++x) inside = std::max(inside, std::abs(map.At(x, y) - map.At(x + 1, y)));
    across = std::max(across, std::abs(map.At(63, y) - map.At(0, y)));
  }
  EXPECT_GT(inside, 0.01f);
  EXPECT_LE(across, inside);
}

TEST(Synth, SoManyClipsAgainAndAgain) {
  SynthOptions options = Small();
  options.clips = 3;
  const auto source = MakeSynthSource(options);
  std::vector<TrainingClip> clips;
  for (int i = 0; i < 7; ++i) clips.push_back(source->Next());
  for (size_t i = 3; i < clips.size(); ++i) EXPECT_EQ(clips[i].pixels, clips[i - 3].pixels) << i;
  EXPECT_NE(clips[0].pixels, clips[1].pixels);
  source->Seek("synth:5:0/1:4");
  EXPECT_EQ(source->Next().pixels, clips[1].pixels);
}

TEST(Synth, KeptClipsAreThoseThatWouldBeMadeAgain) {
  SynthOptions options = Small();
  options.clips = 3;
  const auto plain = MakeSynthSource(options);
  options.keep = true, options.ahead = {.workers = 2, .clips = 4};
  const auto kept = MakeSynthSource(options);
  for (int i = 0; i < 8; ++i) {
    const TrainingClip a = plain->Next(), b = kept->Next();
    EXPECT_EQ(a.pixels, b.pixels) << i;
    EXPECT_EQ(a.motion_bucket_id, b.motion_bucket_id) << i;
  }
  kept->Seek("synth:5:0/1:1");
  plain->Seek("synth:5:0/1:1");
  EXPECT_EQ(kept->Next().pixels, plain->Next().pixels);
}

// What a clip says of its cells is the mean of its flow there, in parts of the diagonal.
TEST(SynthTest, CellsHoldTheirMeanFlow) {
  SynthOptions options;
  options.seed = 5, options.frames = 3, options.height = 64, options.width = 128, options.kind = "closeup";
  const SynthClip made = RenderSynthClip(options, 2);
  EXPECT_EQ(SynthKinds().at(size_t(made.clip.kind)).name, "closeup");
  ASSERT_EQ(made.clip.cell_flow.size(), size_t(2 * kFlowRows * kFlowColumns * 2));
  const double diagonal = std::sqrt(64.0 * 64 + 128 * 128);
  for (int64_t cell = 0; cell < 2 * kFlowRows * kFlowColumns; ++cell) {
    const int64_t t = cell / (kFlowRows * kFlowColumns), row = cell / kFlowColumns % kFlowRows;
    const int64_t column = cell % kFlowColumns, h = 64 / kFlowRows, w = 128 / kFlowColumns;
    double sum = 0;
    for (int64_t y = row * h; y < (row + 1) * h; ++y) {
      for (int64_t x = column * w; x < (column + 1) * w; ++x)
        sum += made.flow[size_t(((t * 64 + y) * 128 + x) * 2)];
    }
    // The clip looks at every fourth pixel; a camera's flow is smooth.
    const double mean = sum / double(h * w) / diagonal;
    EXPECT_NEAR(made.clip.cell_flow[size_t(cell * 2)], mean, 0.1 * std::abs(mean) + 2e-4) << cell;
  }
}

}  // namespace
}  // namespace mvd
