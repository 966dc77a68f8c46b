#include "mvd/train/plan.h"

#include <gtest/gtest.h>

#include "mvd/base/source_dir_testing.h"
#include "mvd/ir/builder.h"
#include "mvd/train/run_models.h"
#include "mvd/train/train_test_util.h"

namespace mvd {
namespace {

DiffusionConfig FullSize() {
  DiffusionConfig config;  // SVD at 512x256, 14 frames, batch 1
  config.run.recompute_segments = 0;
  config.run.steps = 1000;
  return config;
}

TEST(Plan, FullSizeSvd) {
  const RunPlan plan = PlanRun(FullSize());
  const NetworkPlan& unet = plan.networks.at(0);
  EXPECT_EQ(unet.parameters, 1524623082);  // of the published unet/diffusion_pytorch_model.safetensors
  EXPECT_EQ(plan.TrainedParameters(), unet.parameters);
  // The paper's table has 8.60 TFLOPs for this size, of a profiler that counts up to 1.7 % more than
  // products.
  EXPECT_NEAR(double(unet.forward_flops), 8.60e12, 0.02 * 8.60e12);
  EXPECT_EQ(unet.step_flops, 3 * unet.forward_flops);
  int64_t sum = 0;
  for (const NetworkPlan& network : plan.networks) sum += network.step_flops;
  EXPECT_EQ(plan.step_flops, sum);
  EXPECT_EQ(plan.total_flops, 1000.0 * double(sum));
  EXPECT_EQ(plan.checkpoint_bytes, 16 * unet.parameters);
  EXPECT_EQ(plan.memory.at(0).bytes, 4 * unet.parameters);
  const nlohmann::json json = ToJson(plan);
  EXPECT_EQ(json.at("memory_bytes"), plan.MemoryBytes());
  EXPECT_EQ(json.at("memory").at("gradients, f32"), 4 * unet.parameters);
  EXPECT_EQ(json.at("networks").at(0).at("forward_flops"), unet.forward_flops);
}

TEST(Plan, RecomputationTradesMemoryForWork) {
  DiffusionConfig config = FullSize();
  const NetworkPlan all = PlanRun(config).networks.at(0);
  config.run.recompute_segments = 16;
  const NetworkPlan some = PlanRun(config).networks.at(0);
  EXPECT_EQ(some.step_flops, 4 * all.forward_flops);
  EXPECT_LT(some.activation_bytes, all.activation_bytes / 3);
  EXPECT_GT(some.activation_bytes, all.activation_bytes / 32);
}

TEST(Plan, ScalesWithProcessesAndAccumulation) {
  DiffusionConfig config = FullSize();
  const RunPlan one = PlanRun(config);
  config.run.accumulation = 3;
  const RunPlan many = PlanRun(config, 4);
  EXPECT_EQ(many.step_flops, 12 * one.step_flops);
  EXPECT_EQ(many.clips_per_step, 12);
  EXPECT_EQ(many.MemoryBytes(), one.MemoryBytes());
}

// A larger picture is not encoded with all of its frames in one call.
TEST(Plan, FramesAreEncodedInParts) {
  DiffusionConfig config = FullSize();
  const auto encoder = [](const DiffusionConfig& c) { return PlanRun(c).networks.at(2); };
  config.data.height = 576, config.data.width = 1024, config.data.frames = 14;
  const NetworkPlan clip = encoder(config);
  ASSERT_EQ(clip.name, "autoencoder's encoder");
  config.data.frames = 2;  // with the first frame again: 3
  const NetworkPlan three = encoder(config);
  EXPECT_EQ(clip.activation_bytes, three.activation_bytes);
  EXPECT_EQ(clip.step_flops, 5 * three.step_flops);
  EXPECT_EQ(FramesAtOnce(576, 1024), 3);
  EXPECT_GE(FramesAtOnce(256, 512), 15);
  EXPECT_EQ(FramesAtOnce(8192, 8192), 1);
}

TEST(Plan, WhatR1DifferentiatesIsNotRecomputed) {
  AdversarialConfig config;
  config.model.preset = "svd-tiny";
  config.data.height = config.data.width = 64;
  const auto bytes = [&](int64_t segments, const char* on, size_t network) {
    config.run.recompute_segments = segments, config.r1_on = on;
    return PlanRun(config).networks.at(network).activation_bytes;
  };
  const size_t backbone = 3, heads = 4;
  EXPECT_EQ(bytes(8, "features", heads), bytes(0, "features", heads));
  EXPECT_LT(bytes(8, "features", backbone), bytes(0, "features", backbone));
  EXPECT_GT(bytes(8, "input", backbone), 2 * bytes(0, "features", backbone));
}

TEST(Plan, FrozenAndAbsentImageEncoders) {
  DiffusionConfig config = FullSize();
  const NetworkPlan frozen = PlanRun(config).networks.at(1);
  EXPECT_EQ(frozen.step_flops, frozen.forward_flops);
  config.image_encoder = "train";
  const RunPlan trained = PlanRun(config);
  EXPECT_EQ(trained.networks.at(1).step_flops, 3 * frozen.forward_flops);
  EXPECT_EQ(trained.TrainedParameters(), trained.networks.at(0).parameters + frozen.parameters);
  config.image_encoder = "none";
  EXPECT_EQ(PlanRun(config).networks.size(), 2u);
}

// Four values of 40 bytes in a chain.
Graph Chain() {
  Builder b("chain");
  ValueId x = b.Input("x", {1, 1, 1, 1, 10}, Phase::kStep);
  for (int i = 0; i < 4; ++i) x = b.Affine(x, 2, 1);
  b.Output("y", x);
  return b.Finish();
}

TEST(Plan, KeptBytesOfAChain) {
  EXPECT_EQ(KeptActivationBytes(Chain(), 0, 4), 160);
  // Two segments of two: the border and the output are kept, one value is inside each.
  EXPECT_EQ(KeptActivationBytes(Chain(), 2, 4), 80 + 40);
  EXPECT_EQ(KeptActivationBytes(Chain(), 1, 4), 40 + 120);
}

TEST(Plan, Autoencoder) {
  AutoencoderConfig config;
  config.model.preset = "svd-tiny";
  const RunPlan both = PlanRun(config);
  EXPECT_EQ(both.networks.at(0).parameters, 1222532);  // TAESD's own counts
  EXPECT_EQ(both.networks.at(1).parameters, 1222531);
  config.part = "encoder";
  const RunPlan encoder = PlanRun(config);
  EXPECT_EQ(encoder.networks.at(1).step_flops, 2 * both.networks.at(1).forward_flops);
  EXPECT_EQ(encoder.TrainedParameters(), 1222532);
  config.part = "decoder";
  EXPECT_EQ(PlanRun(config).networks.at(0).step_flops, both.networks.at(0).forward_flops);
}

TEST(Plan, RecipesPlan) {
  const std::filesystem::path recipes = SourceDir() / "recipes";
  EXPECT_GT(PlanRun(ReadRunConfig<DiffusionConfig>(recipes / "svd" / "lowres.toml")).total_flops, 1e18);
  const RunPlan tiny = PlanRun(ReadRunConfig<DiffusionConfig>(recipes / "tiny_synth.toml"));
  EXPECT_LT(tiny.total_flops, 1e15);
  EXPECT_LT(tiny.MemoryBytes(), int64_t{2} << 30);
  PlanRun(ReadRunConfig<AutoencoderConfig>(recipes / "autoencoder_tiny.toml"));
}

TEST(Plan, Text) {
  const std::string text = FormatPlan(PlanRun(FullSize()), 1e14);
  for (const char* part : {"preset svd", "1524.62 M", "gradients, f32", "6.10 GB", "work of the run",
                           "time at 100.00 TFLOP/s"}) {
    EXPECT_NE(text.find(part), text.npos) << part << " in\n" << text;
  }
  EXPECT_EQ(FormatPlan(PlanRun(FullSize())).find("time at"), std::string::npos);
}

// A recipe for films must not hold out procedural clips in silence.
TEST(Plan, SaysWhatIsHeldOut) {
  DiffusionConfig config = FullSize();
  EXPECT_EQ(PlanRun(config).held_out, "16 clips of procedural scenes of another seed");
  config.data.kind = "shards", config.data.folder = "films";
  EXPECT_NE(PlanRun(config).held_out.find("NOT of the kind in training"), std::string::npos);
  config.data.heldout = "other_films";
  EXPECT_EQ(PlanRun(config).held_out, "16 clips of the shards in other_films");
  EXPECT_NE(FormatPlan(PlanRun(config)).find("held out                16 clips of the shards in other_films"),
            std::string::npos);
  EXPECT_EQ(ToJson(PlanRun(config)).at("held_out"), "16 clips of the shards in other_films");
  config.output.heldout_steps = 0;
  EXPECT_EQ(PlanRun(config).held_out, "nothing");
}

TEST(Plan, OverlaysAreChecked) {
  DiffusionConfig config = FullSize();
  config.model.unet = R"({"block_out_channel": [32]})";
  ExpectOneLineError(Exit::kBadInput, "model.unet: key 'block_out_channel' is unknown",
                     [&] { PlanRun(config); });
  config.model.unet = R"({"block_out_channels": [31, 64, 64, 64]})";
  ExpectOneLineError(Exit::kBadInput, "model.unet: key 'block_out_channels'", [&] { PlanRun(config); });
  config.model.unet = "", config.model.folder = "/nonexistent";
  ExpectOneLineError(Exit::kNotFound, "/nonexistent", [&] { PlanRun(config); });
}

}  // namespace
}  // namespace mvd
