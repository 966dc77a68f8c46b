// What this project adds to the tiny autoencoder, run by the reference: patches, sub-pixel convolution,
// shortcut.
#include <gtest/gtest.h>

#include "mvd/base/weight_source.h"
#include "mvd/exec/reference.h"
#include "mvd/models/taesd.h"

namespace mvd {
namespace {

TaesdConfig Small() {
  TaesdConfig config;
  config.encoder_block_out_channels = config.decoder_block_out_channels = {1};
  config.num_encoder_blocks = config.num_decoder_blocks = {0};
  config.in_channels = config.out_channels = config.latent_channels = 1;
  config.patch_size = 2;
  config.upsample_fn = "pixel_shuffle";
  return config;
}

// (O,1,3,3) or (O): `values` in the middle of each kernel.
Tensor Middle(const std::vector<float>& values) {
  Tensor weight({int64_t(values.size()), 1, 3, 3}, DType::kF32);
  std::fill(weight.f32().begin(), weight.f32().end(), 0.0f);
  for (size_t o = 0; o < values.size(); ++o) weight.f32()[o * 9 + 4] = values[o];
  return weight;
}
Tensor Vector(const std::vector<float>& values) {
  return Tensor::FromVector({int64_t(values.size())}, values);
}

std::vector<float> RunOnce(const Graph& graph, std::map<std::string, Tensor> weights, const Tensor& input) {
  MapWeights source;
  for (auto& [name, tensor] : weights) source.Set(name, std::move(tensor));
  const auto executor = MakeReferenceExecutor({});
  executor->Load(graph, source);
  const TensorView inputs[] = {input};
  const Tensor out = std::move(RunGraph(*executor, graph, inputs)[0]);
  const auto values = out.f32();
  return {values.begin(), values.end()};
}

// Channel 2i+j of the last convolution is the pixel in row i and column j of its patch.
TEST(TinyAutoencoderTest, PatchesAreMadeRowByRow) {
  const Graph graph = BuildTaesdDecoder(Small(), 1, 1, 1, 2);
  std::map<std::string, Tensor> weights;
  weights["decoder.layers.0.weight"] = Middle({1});
  weights["decoder.layers.0.bias"] = Vector({0});
  weights["decoder.layers.2.weight"] = Middle({0, 0, 0, 0});
  weights["decoder.layers.2.bias"] = Vector({0.0f, 0.1f, 0.2f, 0.3f});
  const std::vector<float> image =
      RunOnce(graph, std::move(weights), Tensor::FromVector({1, 1, 1, 2, 1}, std::vector<float>{0, 0}));
  // Two patches side by side; [0,1] becomes [-1,1].
  const std::vector<float> expected = {-1, -0.8f, -1, -0.8f, -0.6f, -0.4f, -0.6f, -0.4f};
  ASSERT_EQ(image.size(), expected.size());
  for (size_t i = 0; i < image.size(); ++i) EXPECT_NEAR(image[i], expected[i], 1e-6) << i;
}

// An encoder that is its shortcut alone, on a picture whose last column fills no patch: what is missing is
// zero.
TEST(TinyAutoencoderTest, ShortcutSeesWholePatches) {
  TaesdConfig config = Small();
  config.shortcut = true;
  const Graph graph = BuildTaesdEncoder(config, 1, 2, 3);
  std::map<std::string, Tensor> weights;
  weights["encoder.layers.0.weight"] = Tensor::FromVector({1, 1, 2, 2}, std::vector<float>(4, 0.0f));
  weights["encoder.layers.0.bias"] = Vector({0});
  weights["encoder.layers.1.weight"] = Middle({0});
  weights["encoder.layers.1.bias"] = Vector({0});
  weights["encoder.shortcut.weight"] = Tensor::FromVector({1, 1, 2, 2}, std::vector<float>{1, 10, 100, 1000});
  weights["encoder.shortcut.bias"] = Vector({0.5f});
  const std::vector<float> picture = {1, 2, 3, 4, 5, 6};
  const std::vector<float> latent =
      RunOnce(graph, std::move(weights), Tensor::FromVector({1, 1, 2, 3, 1}, picture));
  ASSERT_EQ(latent.size(), 2u);
  EXPECT_FLOAT_EQ(latent[0], 1 + 20 + 400 + 5000 + 0.5f);
  EXPECT_FLOAT_EQ(latent[1], 3 + 600 + 0.5f);
}

TEST(TinyAutoencoderTest, SizesFollowThePatches) {
  TaesdConfig config;
  config.patch_size = 4;
  config.encoder_block_out_channels = config.decoder_block_out_channels = {8, 8, 8};
  config.num_encoder_blocks = config.num_decoder_blocks = {1, 1, 1};
  config.upsample_fn = "pixel_shuffle";
  config.shortcut = true;
  EXPECT_EQ(ScaleFactor(config), 16);
  const Graph encoder = BuildTaesdEncoder(config, 1, 33, 48), decoder = BuildTaesdDecoder(config, 1, 2, 3, 3);
  EXPECT_EQ(encoder.shape(encoder.outputs[0].value), Shape({1, 1, 3, 3, 4}));
  EXPECT_EQ(decoder.shape(decoder.outputs[0].value), Shape({1, 2, 48, 48, 3}));
}

}  // namespace
}  // namespace mvd
