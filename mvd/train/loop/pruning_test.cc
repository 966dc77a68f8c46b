#include "mvd/train/loop/pruning.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <cmath>

#include "mvd/base/atomic_file.h"
#include "mvd/compress/inclusion.h"
#include "mvd/io/json.h"
#include "mvd/train/loop/adversarial_testing.h"
#include "mvd/train/train_test_util.h"

namespace mvd {
namespace {

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

// Names of the exported UNet's temporal blocks. `weights`: those that the loop exports.
std::vector<std::string> ExportedBlocks(const TrainTask& task, const Pruning& pruning,
                                        const Parameters& weights) {
  const std::filesystem::path run = task.common.run.out;
  std::string line = "{\"step\":1";  // for the chart
  for (const std::string& block : pruning.blocks()) line += ",\"importance." + block + "\":0.5";
  WriteFile(run / "metrics.jsonl", line + "}\n");
  task.export_model(weights, run / "model", {});
  return ReadJsonFile(run / "model" / "unet" / "config.json")
      .at("kept_temporal_blocks")
      .get<std::vector<std::string>>();
}

// The average of the logits may order blocks otherwise than the logits by which training settled.
TEST(Pruning, ExportKeepsTheBlocksThatTrainingSettledOn) {
  const TestFolder folder;
  AdversarialConfig c = Tiny();
  c.pruning = "learned", c.keep = 2, c.draw_steps = 3, c.run.out = folder.path.string();
  TrainTask task = MakeAdversarialTask(c, at::kCPU);
  const Pruning pruning(AdversarialModel(c, at::kCPU).base.networks.configs.unet, c);
  const std::vector<std::string>& blocks = pruning.blocks();
  const at::Tensor rising = at::linspace(-0.2, 0.2, int64_t(blocks.size()));
  {
    const c10::NoGradGuard guard;
    task.trained.at(kPruningLogits).copy_(rising);
  }
  Parameters average = task.trained;
  average[kPruningLogits] = -rising;
  const std::vector<std::string> last = {blocks.end()[-2], blocks.end()[-1]}, first = {blocks[0], blocks[1]};

  task.decide(task.trained, 2);  // still drawn: nothing is decided
  EXPECT_EQ(ExportedBlocks(task, pruning, average), first);
  task.decide(task.trained, 3);
  EXPECT_EQ(ExportedBlocks(task, pruning, average), last);
  TrainTask resumed = MakeAdversarialTask(c, at::kCPU);
  resumed.restore_decisions(task.decisions(), "state.json");
  EXPECT_EQ(ExportedBlocks(resumed, pruning, average), last);
  for (const char* wrong :
       {R"({})", R"({"kept_temporal_blocks":["none","such"]})", R"({"kept_temporal_blocks":7})"}) {
    ExpectOneLineError(Exit::kBadInput, "state.json",
                       [&] { resumed.restore_decisions(nlohmann::json::parse(wrong), "state.json"); });
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
