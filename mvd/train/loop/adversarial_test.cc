#include "mvd/train/loop/adversarial.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>

#include "mvd/models/presets.h"
#include "mvd/train/loop/adversarial_testing.h"
#include "mvd/train/loop/tensors.h"

namespace mvd {
namespace {

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
  for (const double weight : {0.5, 1.0, 5.5}) {
    c.adversarial = weight;
    TrainTask task = MakeAdversarialTask(c, at::kCPU);
    task.loss(task.trained, items, {.step = 1}).value.backward();
    heads[weight] = task.trained.at("discriminator.spatial.0.convs.0.weight").grad().clone();
    generator[weight] = task.trained.at("unet.conv_in.weight").grad().clone();
  }
  EXPECT_TRUE(heads[0.5].equal(heads[1]));
  EXPECT_TRUE(heads[0.5].equal(heads[5.5]));
  const at::Tensor half = generator[1] - generator[0.5], five = generator[5.5] - generator[0.5];
  EXPECT_GT(half.norm().item<double>(), 0);
  // Linear in the weight, in f32.
  EXPECT_LT((five - 10 * half).norm().item<double>(), 1e-3 * five.norm().item<double>());
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
    // Applied in every second step, so with twice the weight.
    const double difference = (with.value - without.value).item<double>();
    EXPECT_NEAR(difference, 2 * with.parts.at("r1"), 1e-4 * (1 + std::fabs(with.value.item<double>()))) << on;
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
    const double numeric = 2 * (sides[1] - sides[0]) / 2e-2, exact = g.norm().item<double>();
    EXPECT_NEAR(numeric / exact, 1, 0.05) << on;
  }
}

// The heads' gradients of a step whose loss is nearly R1 alone, by name.
TensorMap PenaltyGradients(const std::string& on, int64_t segments) {
  AdversarialConfig c = Tiny();
  c.r1 = 1000, c.r1_every = 1, c.r1_on = on;
  c.run.recompute_segments = segments;
  TrainTask task = MakeAdversarialTask(c, at::kCPU);
  task.loss(task.trained, Items(c, 2), {.step = 1}).value.backward();
  TensorMap gradients;
  for (const auto& [name, weight] : task.trained)
    if (name.starts_with("discriminator.")) gradients[name] = weight.grad().clone();
  return gradients;
}

// R1 differentiates a gradient, which recomputed segments do not allow: networks on its way must keep their
// values, whatever the run asks for.
TEST(Adversarial, PenaltyHasItsGradientWhereSegmentsAreRecomputed) {
  for (const char* on : {"features", "input"}) {
    const TensorMap kept = PenaltyGradients(on, 0), recomputed = PenaltyGradients(on, 3);
    double apart = 0, size = 0;
    for (const auto& [name, gradient] : kept) {
      apart += (gradient - recomputed.at(name)).square().sum().item<double>();
      size += gradient.square().sum().item<double>();
    }
    EXPECT_LT(std::sqrt(apart / size), 1e-4) << on;
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

}  // namespace
}  // namespace mvd
