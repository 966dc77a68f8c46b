#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <cmath>

#include "mvd/base/error.h"
#include "mvd/engine/random_weights.h"
#include "mvd/sample/preconditioning.h"
#include "mvd/train/discriminator.h"
#include "mvd/train/loop/adamw.h"
#include "mvd/train/loop/draws.h"
#include "mvd/train/loop/losses.h"
#include "mvd/train/loop/processes.h"

namespace mvd {
namespace {

at::Tensor Normal(at::IntArrayRef shape, uint64_t sample) {
  at::Tensor x = at::empty(shape, at::kFloat);
  DrawNoise(3, sample, NoiseKind::kLatents, {x.data_ptr<float>(), size_t(x.numel())});
  return x.to(at::kDouble);
}

TEST(DiffusionLoss, IsEdmsWeightedErrorOfTheDenoiser) {
  const at::Tensor x0 = Normal({3, 2, 3, 5, 4}, 1), noise = Normal({3, 2, 3, 5, 4}, 2);
  const at::Tensor output = Normal({3, 2, 3, 5, 4}, 3);
  const std::vector<double> sigmas = {0.002, 1.3, 700};
  const DiffusionTarget t = MakeDiffusionTarget(x0, noise, at::tensor(sigmas, at::kDouble));
  const at::Tensor loss = DiffusionLoss(output, t.target);
  ASSERT_EQ(loss.sizes(), at::IntArrayRef({3}));
  for (int64_t i = 0; i < 3; ++i) {
    const double s = sigmas[size_t(i)];
    const Preconditioning c = VPrediction(s);
    const at::Tensor noised = x0[i] + s * noise[i];
    EXPECT_TRUE(at::allclose(t.sample[i], c.c_in * noised, 1e-12, 1e-12));
    EXPECT_NEAR(t.timestep[i].item<double>(), c.c_noise, 1e-15);
    const at::Tensor denoised = c.c_skip * noised + c.c_out * output[i];
    const double want = LossWeight(s) * (denoised - x0[i]).square().mean().item<double>();
    // In f64, D - x0 at sigma 0.002 loses three digits of sixteen, squared and divided by sigma^2 six more.
    EXPECT_NEAR(loss[i].item<double>() / want, 1, 1e-9) << s;
  }
}

TEST(Draws, AreFunctionsOfTheSampleAndHaveTheirMoments) {
  const DrawOptions o{
      .p_mean = 0.7, .p_std = 1.6, .aug_mean = -3, .aug_std = 0.5, .drop_image = 0.2, .drop_latent = 0.1};
  const int n = 20000;
  double mean = 0, square = 0, aug = 0, image = 0, latent = 0, both = 0;
  for (int i = 0; i < n; ++i) {
    const SampleDraws d = DrawSample(5, uint64_t(i), o);
    const double x = (std::log(d.sigma) - 0.7) / 1.6;
    mean += x / n, square += x * x / n, aug += (std::log(d.sigma_condition) + 3) / 0.5 / n;
    image += d.drop_image / double(n), latent += d.drop_latent / double(n);
    both += (d.drop_image && d.drop_latent) / double(n);
  }
  const double tolerance =
      4 / std::sqrt(double(n));  // four standard errors of a normal's mean; seeds are fixed
  EXPECT_NEAR(mean, 0, tolerance);
  EXPECT_NEAR(aug, 0, tolerance);
  EXPECT_NEAR(square, 1, 1.5 * tolerance);
  EXPECT_NEAR(image, 0.2, 0.5 * tolerance);
  EXPECT_NEAR(latent, 0.1, 0.5 * tolerance);
  EXPECT_NEAR(both, 0.02, 0.2 * tolerance);  // dropped independently
  EXPECT_EQ(DrawSample(5, 7, o).sigma, DrawSample(5, 7, o).sigma);
  EXPECT_NE(DrawSample(5, 7, o).sigma, DrawSample(6, 7, o).sigma);
  std::vector<float> a(8), b(8);
  DrawNoise(5, 7, NoiseKind::kLatents, a);
  DrawNoise(5, 7, NoiseKind::kPicture, b);
  EXPECT_NE(a, b);
}

TEST(AdamW, FollowsItsEquations) {
  at::Tensor x = at::tensor({1.0, -2.0}, at::kFloat).requires_grad_(true);
  const Parameters parameters = {{"x", x}};
  AdamWState state = MakeAdamW(parameters);
  const AdamWOptions o{.beta1 = 0.9, .beta2 = 0.99, .eps = 1e-6, .weight_decay = 0.1};
  double want[2] = {1, -2}, m[2] = {}, v[2] = {};
  for (int step = 1; step <= 3; ++step) {
    const double gradient[2] = {0.5 * step, -0.1};
    x.mutable_grad() = at::tensor({gradient[0], gradient[1]}, at::kFloat);
    UpdateAdamW(parameters, 0.01, o, state);
    for (int i = 0; i < 2; ++i) {
      want[i] -= 0.01 * 0.1 * want[i];
      m[i] = 0.9 * m[i] + 0.1 * gradient[i], v[i] = 0.99 * v[i] + 0.01 * gradient[i] * gradient[i];
      want[i] -=
          0.01 * m[i] / (1 - std::pow(0.9, step)) / (std::sqrt(v[i] / (1 - std::pow(0.99, step))) + 1e-6);
      EXPECT_NEAR(x[i].item<double>(), want[i], 1e-6);  // f32 state
    }
  }
  EXPECT_EQ(state.steps, 3);
}

TEST(Gradients, AreClippedToTheNormAndTheNormIsReturned) {
  at::Tensor a = at::zeros({3}, at::kFloat).requires_grad_(true),
             b = at::zeros({1}, at::kFloat).requires_grad_(true);
  const Parameters parameters = {{"a", a}, {"b", b}};
  a.mutable_grad() = at::tensor({2.0, 0.0, 1.0}, at::kFloat);
  b.mutable_grad() = at::tensor({2.0}, at::kFloat);
  EXPECT_NEAR(ClipGradients(parameters, 6), 3, 1e-6);
  EXPECT_EQ(a.grad()[0].item<float>(), 2.0f);
  EXPECT_NEAR(ClipGradients(parameters, 1), 3, 1e-6);
  EXPECT_NEAR(b.grad().item<float>(), 2.0 / 3, 1e-6);
}

TEST(Average, MovesByOneMinusDecay) {
  const Parameters parameters = {{"x", at::full({2}, 5.0, at::kFloat)}};
  TensorMap average = {{"x", at::full({2}, 1.0, at::kFloat)}};
  UpdateAverage(parameters, 0.75, average);
  EXPECT_FLOAT_EQ(average.at("x")[1].item<float>(), 2.0f);
}

TEST(PyramidLoss, IsZeroAtEqualityAndSeesDetail) {
  const at::Tensor image = Normal({2, 1, 12, 21, 3}, 9).to(at::kFloat);
  EXPECT_EQ(PyramidLoss(image, image).sum().item<float>(), 0.0f);
  // A constant difference is in the last level alone: 12x21, 6x10, 3x5 are three levels.
  EXPECT_NEAR(PyramidLoss(image + 0.3, image)[0].item<double>(), 0.3 / 3, 1e-6);
  // Detail under an offset that is larger: pixels' L1 is blind to it, the pyramid adds both.
  const at::Tensor rows = at::arange(12).view({1, 1, 12, 1, 1}),
                   columns = at::arange(21).view({1, 1, 1, 21, 1});
  const at::Tensor board = ((rows + columns).remainder(2) * 2 - 1).to(at::kFloat) * 0.2 + 0.3;
  EXPECT_LT(PixelLoss(image + board, image)[0].item<double>(), 0.301);
  EXPECT_NEAR(PyramidLoss(image + board, image)[0].item<double>(), 0.5 / 3, 1e-6);
}

TEST(Adversarial, HingeLosses) {
  const at::Tensor real = at::tensor({2.0, 0.5, -1.0}, at::kFloat),
                   made = at::tensor({-3.0, 0.5}, at::kFloat);
  EXPECT_NEAR(DiscriminatorLoss(real, made).item<double>(), (0 + 0.5 + 2) / 3.0 + (0 + 1.5) / 2, 1e-6);
  EXPECT_NEAR(GeneratorLoss(made).item<double>(), 1.25, 1e-6);
}

TEST(Discriminator, SeesPatchesOfItsSizeAndGivesOneLogitForEach) {
  const Graph graph = BuildPatchDiscriminator(2, 61, 120);
  RandomWeights random(graph, 5, DType::kF32, {1});
  const Parameters weights = LoadParameters(graph, random);
  int64_t count = 0;
  for (const auto& [name, tensor] : weights) {
    EXPECT_TRUE(name.starts_with(kDiscriminator)) << name;
    count += tensor.numel();
  }
  EXPECT_EQ(count, 94785);
  const at::Tensor image = Normal({2, 1, 61, 120, 3}, 4).to(at::kFloat).requires_grad_(true);
  const at::Tensor logits = TorchGraph(graph, {}).Run(weights, {{"image", image}}).at("logits");
  ASSERT_EQ(logits.sizes(), at::IntArrayRef({2, 1, 8, 15, 1}));
  logits[0].sum().backward();
  EXPECT_GT(image.grad()[0].abs().sum().item<double>(), 0);
  EXPECT_EQ(image.grad()[1].abs().sum().item<double>(), 0);  // pictures are judged one by one
}

class Environment : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT", "SLURM_PROCID",
                             "SLURM_NTASKS", "SLURM_LOCALID", "SLURM_STEP_ID"})
      ::unsetenv(name);
  }
  void TearDown() override { SetUp(); }
  static void Set(const char* name, const char* value) { ::setenv(name, value, 1); }
  static std::string Failure() {
    try {
      ReadProcesses();
    } catch (const Error& error) {
      EXPECT_EQ(int(error.exit()), int(Exit::kUsage));
      return error.what();
    }
    return "";
  }
};

TEST_F(Environment, OneProcessWithoutVariables) { EXPECT_EQ(ReadProcesses().world, 1); }

TEST_F(Environment, TorchrunsVariables) {
  Set("RANK", "3"), Set("WORLD_SIZE", "4"), Set("LOCAL_RANK", "1"), Set("MASTER_ADDR", "h"),
      Set("MASTER_PORT", "77");
  const Processes p = ReadProcesses();
  EXPECT_EQ(p.rank, 3);
  EXPECT_EQ(p.world, 4);
  EXPECT_EQ(p.local_rank, 1);
  EXPECT_EQ(p.address, "h");
  EXPECT_EQ(p.port, 77);
}

TEST_F(Environment, SlurmsVariablesInAStepOnly) {
  Set("SLURM_PROCID", "1"), Set("SLURM_NTASKS", "2"), Set("SLURM_LOCALID", "0"), Set("MASTER_ADDR", "h");
  EXPECT_EQ(ReadProcesses().world, 1);  // an sbatch script's own shell
  Set("SLURM_STEP_ID", "0");
  EXPECT_EQ(ReadProcesses().rank, 1);
  EXPECT_EQ(ReadProcesses().port, 29500);
}

TEST_F(Environment, WhatIsMissingOrWrongIsNamed) {
  Set("WORLD_SIZE", "2");
  EXPECT_NE(Failure().find("RANK is missing"), std::string::npos);
  Set("RANK", "2");
  EXPECT_NE(Failure().find("RANK: found '2', expected 0 to 1"), std::string::npos);
  Set("RANK", "1");
  EXPECT_NE(Failure().find("MASTER_ADDR is missing"), std::string::npos);
}

}  // namespace
}  // namespace mvd
