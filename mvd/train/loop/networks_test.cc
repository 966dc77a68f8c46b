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
  const at::Tensor images = at::rand({7, 1, 64, 96, 3}) * 2 - 1;
  for (const bool tiny : {false, true}) {
    Autoencoder a;
    a.tiny = tiny, a.vae = models.vae, a.taesd = models.taesd;
    const Graph graph = tiny ? BuildTaesdEncoder(a.taesd, 1, 64, 96) : BuildVaeEncoder(a.vae, 1, 64, 96);
    RandomWeights random(graph, 1, DType::kF32, {1});
    a.encoder = LoadParameters(graph, random);
    GraphCache graphs(TorchGraphOptions{});
    const at::Tensor whole = EncodeImages(a, images, 7, graphs);
    ASSERT_EQ(whole.size(0), 7);
    for (const int64_t at_once : {1, 3, 100})
      EXPECT_TRUE(EncodeImages(a, images, at_once, graphs).equal(whole)) << tiny << ", " << at_once;
  }
}

}  // namespace
}  // namespace mvd
