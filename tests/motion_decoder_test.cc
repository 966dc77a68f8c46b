// A decoder that moves a picture, run by the reference, and the sizes that go with it.
#include <gtest/gtest.h>

#include <cmath>

#include "mvd/base/error_testing.h"
#include "mvd/base/motion.h"
#include "mvd/base/weight_source.h"
#include "mvd/engine/clip_size.h"
#include "mvd/exec/reference.h"
#include "mvd/models/taesd.h"

namespace mvd {
namespace {

// Latents of 8 pixels: one channel that the decoder shows, and one cell of motion.
TaesdConfig Moving() {
  TaesdConfig config;
  config.encoder_block_out_channels = config.decoder_block_out_channels = {1};
  config.num_encoder_blocks = config.num_decoder_blocks = {0};
  config.in_channels = config.out_channels = 1;
  config.latent_channels = 4, config.motion_channels = 3;
  config.patch_size = 8;
  config.upsample_fn = "pixel_shuffle";
  return config;
}

Tensor Filled(const Shape& shape, float value) {
  Tensor tensor(shape, DType::kF32);
  std::fill(tensor.f32().begin(), tensor.f32().end(), value);
  return tensor;
}

std::vector<float> RunOnce(const Graph& graph, std::map<std::string, Tensor> weights,
                           std::vector<TensorView> inputs) {
  MapWeights source;
  for (auto& [name, tensor] : weights) source.Set(name, std::move(tensor));
  const auto executor = MakeReferenceExecutor({});
  executor->Load(graph, source);
  const Tensor out = std::move(RunGraph(*executor, graph, inputs)[0]);
  const auto values = out.f32();
  return {values.begin(), values.end()};
}

// Decodes two frames of 24x32 pixels, 3x4 latents; what the decoder paints itself is 0.5 everywhere.
std::vector<float> Decode(float x, float y, float visible, const Tensor& picture, float travel) {
  const Shape& size = picture.shape();
  const Graph graph = BuildTaesdDecoder(Moving(), 1, 2, 3, 4, {size[2], size[3]});
  std::map<std::string, Tensor> weights;
  weights["decoder.layers.0.weight"] = Filled({1, 1, 3, 3}, 0);
  weights["decoder.layers.0.bias"] = Filled({1}, 0);
  weights["decoder.layers.2.weight"] = Filled({64, 1, 3, 3}, 0);
  weights["decoder.layers.2.bias"] = Filled({64}, 0.75f);  // of [0,1]
  Tensor latent({1, 2, 3, 4, 4}, DType::kF32);
  for (size_t i = 0; i < latent.f32().size(); ++i) latent.f32()[i] = std::array{9.0f, x, y, visible}[i % 4];
  const Tensor moves = Tensor::FromVector({1, 2, 1, 1, 1}, std::vector<float>{0, travel});
  return RunOnce(graph, std::move(weights), {latent, picture, moves});
}

// The picture's pixel (row, column) is 100 row + column.
Tensor Ramp(int64_t height, int64_t width) {
  Tensor picture({1, 1, height, width, 1}, DType::kF32);
  for (int64_t i = 0; i < height * width; ++i)
    picture.f32()[size_t(i)] = float(100 * (i / width) + i % width);
  return picture;
}

TEST(MotionDecoder, FirstFrameIsThePictureAndTheNextMoves) {
  const Tensor picture = Ramp(48, 64);  // twice the latents' size: its diagonal is 80
  const std::vector<float> frames = Decode(1, -0.5f, 1, picture, 0.1f);  // 8 pixels right, 4 up
  ASSERT_EQ(frames.size(), size_t(2 * 48 * 64));
  for (size_t i = 0; i < 48 * 64; ++i) ASSERT_EQ(frames[i], picture.f32()[i]) << i;
  for (int64_t row = 4; row < 48; ++row) {
    for (int64_t column = 0; column < 56; ++column)
      ASSERT_NEAR(frames[size_t((48 + row) * 64 + column)], float(100 * (row - 4) + column + 8), 1e-3);
  }
}

TEST(MotionDecoder, PaintsWhatThePictureDoesNotShow) {
  const Tensor picture = Ramp(24, 32);
  const std::vector<float> painted = Decode(0, 0, -1, picture, 0.1f);
  for (size_t i = 0; i < 24 * 32; ++i) {
    ASSERT_NEAR(painted[i], picture.f32()[i], 1e-3) << "the first frame shows all of the picture";
    ASSERT_NEAR(painted[24 * 32 + i], 0.5f, 1e-6);
  }
  // Noise on "visible" changes nothing.
  const std::vector<float> frames = Decode(0, 0, 0.6f, picture, 0.1f);
  for (size_t i = 0; i < frames.size(); ++i) ASSERT_NEAR(frames[i], picture.f32()[i % (24 * 32)], 1e-3);
}

TEST(MotionDecoder, StretchesThePictureWhereItDoesNotPaint) {
  TaesdConfig config = Moving();
  config.motion_paints = false;
  const Tensor picture = Ramp(24, 32);
  const Graph graph = BuildTaesdDecoder(config, 1, 2, 3, 4, {24, 32});
  Tensor latent({1, 2, 3, 4, 4}, DType::kF32);
  for (size_t i = 0; i < latent.f32().size(); ++i)
    latent.f32()[i] = std::array{9.0f, 1.0f, 0.0f, -1.0f}[i % 4];
  const Tensor moves = Tensor::FromVector({1, 2, 1, 1, 1}, std::vector<float>{0, 0.1f});
  const std::vector<float> frames = RunOnce(graph, {}, {latent, picture, moves});  // it has no weights
  for (int64_t row = 0; row < 24; ++row) {
    for (int64_t column = 0; column < 32; ++column) {
      ASSERT_EQ(frames[size_t(row * 32 + column)], float(100 * row + column));
      // 4 pixels right, and the edge's pixels beyond it.
      ASSERT_NEAR(frames[size_t((24 + row) * 32 + column)],
                  float(100 * row + std::min<int64_t>(column + 4, 31)), 1e-3);
    }
  }
  config.motion_channels = 0;
  ExpectOneLineError(Exit::kBadInput, "motion_paints",
                     [&] { CheckConfig(ConfigChecker("config.json"), config); });
}

TEST(MotionDecoder, EncoderSaysNothingOfMotion) {
  const Graph graph = BuildTaesdEncoder(Moving(), 1, 8, 16);
  std::map<std::string, Tensor> weights;
  weights["encoder.layers.0.weight"] = Filled({1, 1, 8, 8}, 1);
  weights["encoder.layers.0.bias"] = Filled({1}, 0);
  weights["encoder.layers.1.weight"] = Filled({1, 1, 3, 3}, 1);
  weights["encoder.layers.1.bias"] = Filled({1}, 0);
  const Tensor picture = Filled({1, 1, 8, 16, 1}, 1);
  const std::vector<float> latent = RunOnce(graph, std::move(weights), {picture});
  ASSERT_EQ(latent.size(), 8u);
  for (size_t i = 0; i < 8; ++i) EXPECT_EQ(latent[i], i % 4 == 0 ? 128.0f : 0.0f) << i;
}

TEST(MotionDecoder, ConfigKnowsHowManyChannelsMotionHas) {
  TaesdConfig config = Moving();
  const ConfigChecker check("config.json");
  CheckConfig(check, config);
  config.motion_channels = 2;
  ExpectOneLineError(Exit::kBadInput, "motion_channels", [&] { CheckConfig(check, config); });
  EXPECT_EQ(MotionChannels(16), 12);
}

// A model's folder as far as sizes go: it moves the picture and was trained at 192x128.
Model MovingModel() {
  Preset preset = FindPreset("svd-tiny");
  preset.models.taesd.patch_size = 2;  // 16 pixels per latent
  preset.models.taesd.latent_channels = 16, preset.models.taesd.motion_channels = 12;
  preset.defaults.height = 128, preset.defaults.width = 192;
  return Model::Random(preset, 0, DType::kF32, {1});
}

TEST(ClipSize, FramesAreThePicturesOwnAspect) {
  const Model model = MovingModel();
  const auto sides = [](FrameSides s) { return std::pair(s.height, s.width); };
  EXPECT_EQ(sides(DefaultFrameSize(model, 3000, 4000)), std::pair(int64_t{512}, int64_t{682}));
  EXPECT_EQ(sides(DefaultFrameSize(model, 4000, 3000)), std::pair(int64_t{682}, int64_t{512}));
  EXPECT_EQ(sides(DefaultFrameSize(model, 301, 451)), std::pair(int64_t{300}, int64_t{450}))
      << "never enlarged";
  EXPECT_EQ(sides(DefaultFrameSize(model, 300, 451)), std::pair(int64_t{300}, int64_t{450}));
}

}  // namespace
}  // namespace mvd
