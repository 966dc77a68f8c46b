// The torch graph's gradients of a whole UNet against diffusers' in float64.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "mvd/base/source_dir_testing.h"
#include "mvd/engine/model.h"
#include "mvd/exec/metrics.h"
#include "mvd/io/safetensors.h"
#include "mvd/torch/torch_graph.h"

namespace mvd {
namespace {

namespace fs = std::filesystem;

const fs::path kGoldens = SourceDir() / "testdata/goldens";

at::Tensor ToTorch(const TensorView& view) {
  const Tensor value = ConvertTo(view, DType::kF32);
  at::Tensor copy = at::empty(value.shape().dims(), at::kFloat);
  std::copy(value.f32().begin(), value.f32().end(), copy.data_ptr<float>());
  return copy;
}

std::vector<float> Values(const at::Tensor& tensor) {
  const at::Tensor flat = tensor.detach().contiguous();
  return {flat.data_ptr<float>(), flat.data_ptr<float>() + flat.numel()};
}

struct Differentiated {
  Parameters parameters;
  at::Tensor sample;
};

// Gradients of sum(weights * output), as the golden's maker has it.
Differentiated Differentiate(const SafetensorsFile& golden, int segments) {
  const Model model = Model::Open(kGoldens / golden.metadata().at("model"));
  const at::Tensor sample = ToTorch(golden.Get("input.sample")).permute({0, 1, 3, 4, 2}).contiguous();
  const int64_t batch = sample.size(0), factor = PixelsPerLatent(model.configs(), "unet");
  const CallSizes sizes{batch, sample.size(1), sample.size(2) * factor, sample.size(3) * factor};
  const TorchGraph graph(FindComponent("unet").build(model.configs(), sizes),
                         {.recompute_segments = segments, .nan_guard = true});
  const auto weights = model.Weights("unet");
  Differentiated run{LoadParameters(graph.graph(), *weights), sample.requires_grad_(true)};
  const TensorMap outputs = graph.Run(
      run.parameters, {{"sample", run.sample},
                       {"timestep", ToTorch(golden.Get("input.timestep")).expand({batch})},
                       {"encoder_hidden_states", ToTorch(golden.Get("input.encoder_hidden_states"))},
                       {"added_time_ids", ToTorch(golden.Get("input.added_time_ids"))}});
  const at::Tensor seed = ToTorch(golden.Get("weights")).permute({0, 1, 3, 4, 2});
  (outputs.at("sample") * seed).sum().backward();
  return run;
}

// f32 against f64, each tensor; gradients that are nothing but rounding, as those of a bias in front of a
// GroupNorm of one channel a group, are held against the largest of all instead.
constexpr double kTolerance = 1e-4;
// A mix factor's gradient is one number, a sum over all elements that may nearly cancel: diffusers' own f32
// is 2e-4 off there.
constexpr double kNumberTolerance = 1e-3;

class TorchGradients : public testing::TestWithParam<int> {};

TEST_P(TorchGradients, OfTheUnetAreDiffusers) {
  const SafetensorsFile golden = SafetensorsFile::Open(kGoldens / "gradients/unet_wide.safetensors");
  const Differentiated run = Differentiate(golden, GetParam());
  const int64_t whole = std::stoll(golden.metadata().at("whole")),
                stride = std::stoll(golden.metadata().at("stride"));
  double largest = 0, worst = 0;
  size_t met = 0, noise = 0;
  const auto root_mean_square = [](const std::vector<float>& values) {
    double sum = 0;
    for (float v : values) sum += double(v) * v;
    return std::sqrt(sum / double(values.size()));
  };
  for (const auto& [name, parameter] : run.parameters) {
    if (parameter.grad().defined()) largest = std::max(largest, root_mean_square(Values(parameter.grad())));
  }
  for (const auto& [name, parameter] : run.parameters) {
    ASSERT_TRUE(parameter.grad().defined()) << name;
    at::Tensor flat = parameter.grad().reshape({-1});
    if (flat.numel() > whole) flat = flat.slice(0, 0, flat.numel(), stride);
    const std::vector<float> got = Values(flat), want = Values(ToTorch(golden.Get("gradient." + name)));
    ASSERT_EQ(got.size(), want.size()) << name;
    const double size = root_mean_square(want);
    if (size < 1e-6 * largest) {
      EXPECT_LE(root_mean_square(got), 1e-5 * largest) << name;
      ++noise;
    } else {
      const double error = Measure(got, want).rel_rms;
      EXPECT_LE(error, want.size() == 1 ? kNumberTolerance : kTolerance) << name;
      worst = std::max(worst, error);
    }
    ++met;
  }
  const at::Tensor sample = run.sample.grad().permute({0, 1, 4, 2, 3});
  EXPECT_LE(Measure(Values(sample), Values(ToTorch(golden.Get("gradient")))).rel_rms, kTolerance);
  EXPECT_EQ(met + 6, golden.tensors().size());  // four inputs, the weights, the sample's gradient
  EXPECT_LE(noise, met / 4);
  RecordProperty("worst", std::to_string(worst));
  std::printf("%zu tensors, %zu of them rounding alone, worst %.2e\n", met, noise, worst);
}

INSTANTIATE_TEST_SUITE_P(Segments, TorchGradients, testing::Values(0, 3));

}  // namespace
}  // namespace mvd
