#include "mvd/train/loop/adversarial.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>

#include "mvd/compress/inclusion.h"
#include "mvd/data/synth.h"
#include "mvd/models/presets.h"
#include "mvd/models/unet_layout.h"
#include "mvd/train/loop/data.h"
#include "mvd/train/loop/tensors.h"

namespace mvd {
namespace {

// A UNet of two levels in 32 and 64 channels: 12 temporal blocks.
AdversarialConfig Tiny() {
  AdversarialConfig c;
  c.model.preset = "svd-tiny";
  c.model.unet =
      R"({"block_out_channels":[32,64],"addition_time_embed_dim":16,"cross_attention_dim":64,
          "projection_class_embeddings_input_dim":48,"num_attention_heads":[1,2],"sample_size":4})";
  c.model.taesd =
      R"({"encoder_block_out_channels":[8,8,8,8],"decoder_block_out_channels":[8,8,8,8],
          "num_encoder_blocks":[1,1,1,1],"num_decoder_blocks":[1,1,1,1]})";
  c.image_encoder = "none";
  c.data.height = 32, c.data.width = 48, c.data.frames = 4;
  c.width = 32;
  c.discriminator_warmup_steps = 0;
  c.output.heldout_clips = 1;
  return c;
}

std::vector<TrainingItem> Items(const AdversarialConfig& c, int count) {
  const auto source = MakeClipSource(c.data, 1, 0, 1, 0, nullptr);
  std::vector<TrainingItem> items;
  for (int i = 0; i < count; ++i) items.push_back({source->Next(), uint64_t(i)});
  return items;
}

bool AnyGradient(const Parameters& parameters, const std::string& prefix) {
  for (const auto& [name, tensor] : parameters) {
    if (name.starts_with(prefix) && tensor.grad().defined() && tensor.grad().abs().max().item<float>() > 0)
      return true;
  }
  return false;
}

TEST(Adversarial, WarmUpTrainsTheHeadsAlone) {
  AdversarialConfig c = Tiny();
  c.discriminator_warmup_steps = 3;
  TrainTask task = MakeAdversarialTask(c, at::kCPU);
  const std::vector<TrainingItem> items = Items(c, 2);
  task.loss(task.trained, items, {.step = 2}).value.backward();
  EXPECT_FALSE(AnyGradient(task.trained, "unet."));
  EXPECT_TRUE(AnyGradient(task.trained, "discriminator."));
  Communicator alone(Processes(), at::kCPU);
  EXPECT_TRUE(task.idle(alone, 2).contains("unet.conv_in.weight"));
  EXPECT_FALSE(task.idle(alone, 2).contains("discriminator.spatial.0.convs.0.weight"));
  EXPECT_TRUE(task.idle(alone, 3).empty());
  task.loss(task.trained, items, {.step = 3}).value.backward();
  EXPECT_TRUE(AnyGradient(task.trained, "unet."));
}

// The heads' gradient is that of their own hinge loss, whatever the weight of the generator's.
TEST(Adversarial, NeitherSideSeesTheOthersLoss) {
  AdversarialConfig c = Tiny();
  const std::vector<TrainingItem> items = Items(c, 2);
  std::map<double, at::Tensor> heads, generator;
  for (const double weight : {0.0, 1.0, 5.0}) {
    c.adversarial = weight;
    TrainTask task = MakeAdversarialTask(c, at::kCPU);
    task.loss(task.trained, items, {.step = 1}).value.backward();
    heads[weight] = task.trained.at("discriminator.spatial.0.convs.0.weight").grad().clone();
    generator[weight] = task.trained.at("unet.conv_in.weight").grad().clone();
  }
  EXPECT_TRUE(heads[0].equal(heads[1]));
  EXPECT_TRUE(heads[0].equal(heads[5]));
  const at::Tensor one = generator[1] - generator[0], five = generator[5] - generator[0];
  EXPECT_GT(one.norm().item<double>(), 0);
  // Linear in the weight, in f32.
  EXPECT_LT((five - 5 * one).norm().item<double>(), 1e-3 * five.norm().item<double>());
}

TEST(Adversarial, PenaltyIsTheSquaredGradientAndIsDifferentiable) {
  for (const char* on : {"features", "input"}) {
    AdversarialConfig c = Tiny();
    c.r1 = 1, c.r1_every = 2, c.r1_on = on;
    const std::vector<TrainingItem> items = Items(c, 2);
    TrainTask task = MakeAdversarialTask(c, at::kCPU);
    const TrainLoss without = task.loss(task.trained, items, {.step = 1});
    const TrainLoss with = task.loss(task.trained, items, {.step = 2});
    EXPECT_EQ(without.parts.at("r1"), 0);
    EXPECT_GT(with.parts.at("r1"), 0) << on;
    const double difference = (with.value - without.value).item<double>();
    EXPECT_NEAR(difference, with.parts.at("r1"), 1e-4 * (1 + std::fabs(with.value.item<double>()))) << on;
    // Along a direction in one weight, against a central difference. f32 and a step of 1e-2: 5 %.
    const std::string name = "discriminator.spatial.0.conv_out.weight";
    const at::Tensor weight = task.trained.at(name);
    const at::Tensor g = torch::autograd::grad({with.value}, {weight})[0] -
                         torch::autograd::grad({without.value}, {weight})[0];
    const at::Tensor direction = g / g.norm();
    double sides[2];
    for (int side = 0; side < 2; ++side) {
      at::Tensor moved = (weight.detach() + (side ? 1e-2 : -1e-2) * direction).requires_grad_(true);
      Parameters changed = task.trained;
      changed[name] = moved;
      sides[side] = task.loss(changed, items, {.step = 2}).parts.at("r1");
    }
    const double numeric = (sides[1] - sides[0]) / 2e-2, exact = g.norm().item<double>();
    EXPECT_NEAR(numeric / exact, 1, 0.05) << on;
  }
}

TEST(Adversarial, FramesShareNoiseWhereTheModelSaysSo) {
  const at::Tensor noise = at::randn({2, 4, 3, 5, 6});
  UnetSampling sampling;
  EXPECT_TRUE(GeneratorNoise(sampling, noise).equal(noise));
  sampling.frame_noise = "shared";
  const at::Tensor shared = GeneratorNoise(sampling, noise);
  ASSERT_EQ(shared.sizes(), noise.sizes());
  for (int64_t frame = 0; frame < 4; ++frame)
    EXPECT_TRUE(shared.select(1, frame).equal(noise.select(1, 0))) << frame;
}

// Heads on what the last layers give see twice the rows and columns of those on what blocks hand on.
TEST(Adversarial, HeadsLookWhereTheyAreTold) {
  for (const auto& [taps, rows] : {std::pair("blocks", 2), std::pair("layers", 4)}) {
    AdversarialConfig c = Tiny();
    c.taps = taps;
    const Graph graph =
        BuildSvdUnet(FindPreset("svd-tiny").models.unet, 1, 4, 4, 6, {.encoder_taps = TapsOf(c)});
    EXPECT_EQ(OutputShapes(graph).at(0)[2], rows) << taps;
    TrainTask task = MakeAdversarialTask(c, at::kCPU);
    task.loss(task.trained, Items(c, 1), {.step = 1}).value.backward();
    EXPECT_TRUE(AnyGradient(task.trained, "discriminator.")) << taps;
  }
}

TEST(Adversarial, OneStepIsTheDenoiserAtTheHighestLevel) {
  AdversarialConfig c = Tiny();
  AdversarialModel m(c, at::kCPU);
  Parameters weights = TrainedParameters(m.base.networks, c);
  const c10::NoGradGuard guard;
  Question q;
  q.clips = at::randn({1, 4, 4, 6, 4}), q.noise = at::randn({1, 4, 4, 6, 4});
  q.condition = at::randn({1, 4, 4, 6, 4}), q.embeds = at::zeros({1, 1, 1, 1, 64});
  q.ids = at::tensor({6.0f, 127.0f, 0.02f}).view({1, 1, 1, 1, 3});
  q.sigma = {700};
  const SvdUnetConfig& unet = m.base.networks.configs.unet;
  const at::Tensor x0 = OneStep(weights, unet, q, {}, m.base.frozen);
  // EDM's D with SVD's preconditioning, by hand: at 700 it is -F up to a share of 1/700.
  const double total = 700.0 * 700 + 1;
  const TorchGraph graph(BuildSvdUnet(unet, 1, 4, 4, 6), {});
  const at::Tensor x = q.clips + 700 * q.noise;
  const at::Tensor f =
      graph
          .Run(Without("unet.", weights), {{"sample", at::cat({x / std::sqrt(total), q.condition}, 4)},
                                           {"timestep", at::full({1, 1, 1, 1, 1}, 0.25 * std::log(700.0))},
                                           {"encoder_hidden_states", q.embeds},
                                           {"added_time_ids", q.ids}})
          .at("sample");
  EXPECT_TRUE(at::allclose(x0, x / total - f * (700 / std::sqrt(total)), 1e-4, 1e-5));
}

// model.start: the same network asked about noise alone answers with the picture, up to the scale that its
// last norm leaves.
TEST(StartAsCopy, AnswersWithThePicture) {
  for (const char* start : {"random", "copy"}) {
    AdversarialConfig c = Tiny();
    c.model.start = start;
    AdversarialModel m(c, at::kCPU);
    const c10::NoGradGuard guard;
    Question q;
    q.clips = at::zeros({1, 4, 4, 6, 4}), q.noise = at::randn({1, 4, 4, 6, 4});
    const at::Tensor picture = at::randn({1, 1, 4, 6, 4});
    q.condition = picture.expand({1, 4, 4, 6, 4}), q.embeds = at::zeros({1, 1, 1, 1, 64});
    q.ids = at::tensor({6.0f, 127.0f, 0.02f}).view({1, 1, 1, 1, 3});
    q.sigma = {700};
    const at::Tensor x0 =
        OneStep(TrainedParameters(m.base.networks, c), m.base.networks.configs.unet, q, {}, m.base.frozen);
    const at::Tensor a = x0 - x0.mean(), b = q.condition - q.condition.mean();
    const double correlation = ((a * b).mean() / (a.std() * b.std())).item<double>();
    if (std::string(start) == "copy")
      EXPECT_GT(correlation, 0.9);
    else
      EXPECT_LT(correlation, 0.5);
  }
}

TEST(Pruning, GatesKeepTheirNumberAndPassTheGradientOfTheProbabilities) {
  AdversarialConfig c = Tiny();
  c.pruning = "learned", c.keep = 5;
  AdversarialModel m(c, at::kCPU);
  const Pruning pruning(m.base.networks.configs.unet, c);
  const int64_t count = int64_t(pruning.blocks().size());
  ASSERT_GT(count, 5);
  at::Tensor logits = pruning.InitialLogits(m.base.networks.unet);
  {  // q = 1 - alpha
    const std::vector<double> q = pruning.Importance({{kPruningLogits, logits}});
    const double mix = m.base.networks.unet.at(pruning.blocks()[0] + "." + kMixFactor).item<double>();
    EXPECT_NEAR(q[0], 1 / (1 + std::exp(mix)), 1e-6);
  }
  std::vector<float> spread;
  for (int64_t i = 0; i < count; ++i) spread.push_back(0.02f * float(i % 7) - 0.1f);
  logits = at::tensor(spread).requires_grad_(true);
  const at::Tensor weight = at::randn({count});
  GateDraw draw = pruning.Draw(logits, 3, 4);
  EXPECT_EQ(std::count(draw.in.begin(), draw.in.end(), 1), 5);
  for (int64_t i = 0; i < count; ++i)
    EXPECT_NEAR(draw.gates.flatten()[i].item<float>(), draw.in[size_t(i)], 1e-6);
  (draw.gates.flatten() * weight).sum().backward();
  const auto expected = [&](const at::Tensor& l) {
    const std::vector<double> p = SolveInclusion(pruning.Importance({{kPruningLogits, l}}), 5).probabilities;
    double sum = 0;
    for (int64_t i = 0; i < count; ++i) sum += p[size_t(i)] * weight[i].item<double>();
    return sum;
  };
  const c10::NoGradGuard guard;
  for (int64_t i = 0; i < count; ++i) {
    const double h = 1e-4;
    at::Tensor up = logits.detach().to(at::kDouble).clone(), down = up.clone();
    up[i] += h, down[i] -= h;
    const double numeric = (expected(up) - expected(down)) / (2 * h);
    EXPECT_NEAR(logits.grad()[i].item<double>(), numeric, 1e-3 * (1 + std::fabs(numeric)));
  }
}

TEST(Pruning, WhatOnlyPrunedBlocksUseIsIdle) {
  AdversarialConfig c = Tiny();
  c.pruning = "learned", c.keep = 2;
  TrainTask task = MakeAdversarialTask(c, at::kCPU);
  task.loss(task.trained, Items(c, 1), {.step = 1}).value.backward();
  Communicator alone(Processes(), at::kCPU);
  const std::set<std::string> idle = task.idle(alone, 1);
  ASSERT_FALSE(idle.empty());
  int live = 0;
  for (const auto& [name, tensor] : task.trained) {
    if (!name.ends_with(kMixFactor)) continue;
    if (!idle.contains(name)) ++live;
    const bool moved = tensor.grad().defined() && tensor.grad().abs().max().item<float>() > 0;
    EXPECT_TRUE(!idle.contains(name) || !moved) << name;
  }
  EXPECT_EQ(live, 2);
  EXPECT_FALSE(idle.contains("unet.conv_in.weight"));
  EXPECT_FALSE(idle.contains(kPruningLogits));
  size_t all = 0;
  for (const ParameterGroup& group : task.groups) all += group.parameters.size();
  EXPECT_EQ(all, task.trained.size());
}

TEST(Pruning, SettledBlocksStayAndTheirImportancesRest) {
  AdversarialConfig c = Tiny();
  c.pruning = "learned", c.keep = 2, c.draw_steps = 3;
  TrainTask task = MakeAdversarialTask(c, at::kCPU);
  AdversarialModel m(c, at::kCPU);
  const Pruning pruning(m.base.networks.configs.unet, c);
  EXPECT_TRUE(pruning.Draws(2));
  EXPECT_FALSE(pruning.Draws(3));
  const std::vector<std::string> kept = *pruning.Pruned(task.trained).compression.kept_temporal_blocks;
  Communicator alone(Processes(), at::kCPU);
  for (int64_t step : {3, 4, 5}) {
    task.loss(task.trained, Items(c, 1), {.step = step}).value.backward();
    const std::set<std::string> idle = task.idle(alone, step);
    EXPECT_TRUE(idle.contains(kPruningLogits));
    EXPECT_FALSE(task.trained.at(kPruningLogits).grad().defined());
    for (const std::string& block : pruning.blocks()) {
      const bool stays = std::find(kept.begin(), kept.end(), block) != kept.end();
      EXPECT_EQ(idle.contains("unet." + block + "." + kMixFactor), !stays) << block << " at " << step;
    }
  }
}

TEST(AdamW, IdleParametersAreAsIfTheStepHadNotBeen) {
  const auto run = [](bool idle_between) {
    at::Tensor x = at::tensor({1.0, -2.0}, at::kFloat).requires_grad_(true);
    const Parameters parameters = {{"x", x}};
    AdamWState state = MakeAdamW(parameters);
    for (int step = 0; step < 4; ++step) {
      const bool idle = step % 2 == 1;
      if (idle && !idle_between) continue;
      x.mutable_grad() = at::tensor({0.3 * (step + 1), idle ? 9.0 : -0.1}, at::kFloat);
      UpdateAdamW(parameters, 0.01, {}, state, {},
                  idle ? std::set<std::string>{"x"} : std::set<std::string>{});
    }
    return x.detach();
  };
  EXPECT_TRUE(run(true).equal(run(false)));
}

TEST(AdamW, GroupsHaveTheirOwnRate) {
  at::Tensor a = at::ones({1}, at::kFloat).requires_grad_(true),
             b = at::ones({1}, at::kFloat).requires_grad_(true);
  const Parameters parameters = {{"a", a}, {"b", b}};
  AdamWState state = MakeAdamW(parameters);
  a.mutable_grad() = at::ones({1}), b.mutable_grad() = at::ones({1});
  UpdateAdamW(parameters, 0.01, {.weight_decay = 0}, state,
              {{.name = "slow", .parameters = {"a"}}, {.name = "fast", .parameters = {"b"}, .rate = 10}});
  EXPECT_NEAR(a.item<float>(), 0.99, 1e-5);  // the first step of AdamW is the rate
  EXPECT_NEAR(b.item<float>(), 0.9, 1e-5);
}

}  // namespace
}  // namespace mvd
