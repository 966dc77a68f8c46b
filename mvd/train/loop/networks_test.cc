#include "mvd/train/loop/networks.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include "mvd/engine/random_weights.h"
#include "mvd/models/presets.h"

namespace mvd {
namespace {

TEST(EncodeImages, GivesTheSameInParts) {
  const ModelConfigs& models = FindPreset("svd-tiny").models;
  const at::Tensor images = at::rand({5, 1, 32, 48, 3}) * 2 - 1;
  for (const bool tiny : {false, true}) {
    Autoencoder a;
    a.tiny = tiny, a.vae = models.vae, a.taesd = models.taesd;
    const Graph graph = tiny ? BuildTaesdEncoder(a.taesd, 1, 32, 48) : BuildVaeEncoder(a.vae, 1, 32, 48);
    RandomWeights random(graph, 1, DType::kF32, {1});
    a.encoder = LoadParameters(graph, random);
    GraphCache graphs(TorchGraphOptions{});
    const at::Tensor whole = EncodeImages(a, images, 5, graphs);
    ASSERT_EQ(whole.size(0), 5);
    for (const int64_t at_once : {2, 100}) {
      // oneDNN sums in another order for another batch: equal up to f32's rounding.
      const at::Tensor parts = EncodeImages(a, images, at_once, graphs);
      ASSERT_EQ(parts.sizes(), whole.sizes());
      EXPECT_LT((parts - whole).abs().max().item<float>(), 1e-5 * whole.abs().max().item<float>())
          << tiny << ", " << at_once;
    }
  }
}

}  // namespace
}  // namespace mvd
