// On a machine with a GPU alone.
#include "mvd/train/loop/recorded_step.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "mvd/train/loop/data.h"
#include "mvd/train/loop/diffusion.h"

namespace mvd {
namespace {

DiffusionConfig Tiny() {
  DiffusionConfig c;
  c.model.preset = "svd-tiny";
  c.image_encoder = "train";
  c.data.height = 64, c.data.width = 64, c.data.frames = 4;
  return c;
}

TensorMap GradientsOf(const Parameters& parameters) {
  TensorMap gradients;
  for (const auto& [name, parameter] : parameters)
    if (parameter.grad().defined()) gradients[name] = parameter.grad().clone();
  return gradients;
}

// Plain calls, the recording and two repetitions, each on clips of its own.
TEST(RecordedStep, LossesAndGradientsAreThoseOfAPlainStep) {
  if (!at::hasCUDA() || !CanRecordSteps()) GTEST_SKIP() << "no GPU";
  const at::Device device(at::kCUDA, 0);
  UseOwnStream(device);
  DiffusionModel m(Tiny(), device);
  const Parameters weights = TrainedParameters(m.networks, m.config);
  const auto source = MakeClipSource(m.config.data, 1, 0, 1, 0, nullptr);
  for (uint64_t call = 0; call < 6; ++call) {
    const EncodedClips clips =
        EncodeClips(m, {{source->Next(), 2 * call}, {source->Next(), 2 * call + 1}}, true);
    ClearGradients(weights);
    const TrainLoss recorded = RecordedDiffusionLoss(m, weights, clips);
    EXPECT_TRUE(recorded.backward_done);
    const TensorMap found = GradientsOf(weights);
    ClearGradients(weights);
    const TrainLoss plain = DiffusionLossOf(m, weights, clips, false);
    plain.value.backward();
    EXPECT_NEAR(recorded.value.item<double>() / plain.value.item<double>(), 1, 1e-6) << call;
    const TensorMap want = GradientsOf(weights);
    ASSERT_EQ(found.size(), want.size());
    for (const auto& [name, gradient] : want) {
      // The same kernels; sums by atomic additions may come in another order. Zero gradients are zero in
      // both.
      const double norm = gradient.norm().item<double>();
      EXPECT_LE((found.at(name) - gradient).norm().item<double>(), 1e-4 * norm + 1e-7) << call << " " << name;
    }
  }
}

}  // namespace
}  // namespace mvd
