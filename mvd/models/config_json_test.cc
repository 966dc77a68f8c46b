// config.json: round trips, defaults, and refusals that name the file and the key.
#include "mvd/models/config_json.h"

#include <gtest/gtest.h>

#include <optional>

#include "mvd/models/presets.h"

namespace mvd {
namespace {

using nlohmann::json;

template <class Config>
std::string Refusal(const json& config) {
  try {
    ReadConfig<Config>(config, "config.json");
  } catch (const Error& error) {
    EXPECT_EQ(error.exit(), Exit::kBadInput);
    EXPECT_EQ(error.file(), "config.json");
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
    return error.what();
  }
  return "accepted " + config.dump();
}

TEST(ConfigTest, RoundTrips) {
  const auto same = [](const auto& config) {
    using Config = std::decay_t<decltype(config)>;
    const json written = WriteConfig(config);
    EXPECT_EQ(ReadConfig<Config>(json::parse(written.dump()), "config.json"), config) << written;
  };
  for (const std::string& name : PresetNames()) {
    const ModelConfigs models = FindPreset(name).models;
    same(models.unet), same(models.vae), same(models.taesd), same(models.image_encoder);
    same(models.feature_extractor);
  }
  same(SvdUnetConfig{});  // with a null
}

TEST(ConfigTest, WritesWhatTheOriginalsWrite) {
  const json unet = WriteConfig(FindPreset("svd").models.unet);
  EXPECT_EQ(unet["_class_name"], "UNetSpatioTemporalConditionModel");
  EXPECT_EQ(unet["layers_per_block"], 2);
  EXPECT_EQ(unet["num_attention_heads"], json({5, 10, 20, 20}));
  EXPECT_EQ(unet["num_frames"], 14);
  EXPECT_EQ(unet["sample_size"], 96);
  EXPECT_TRUE(WriteConfig(SvdUnetConfig{})["sample_size"].is_null());
  EXPECT_EQ(WriteConfig(ClipVisionConfig{})["model_type"], "clip_vision_model");
  EXPECT_EQ(WriteConfig(VaeConfig{})["force_upcast"], true);
}

TEST(ConfigTest, AbsentKeysAreTheOriginalsDefaultsAndUnknownOnesIgnored) {
  const auto unet = ReadConfig<SvdUnetConfig>({{"_diffusers_version", "0.24"}, {"x", {1, 2}}}, "config.json");
  EXPECT_EQ(unet, SvdUnetConfig{});
  EXPECT_EQ(unet.num_attention_heads[2], 20);
  EXPECT_EQ(unet.layers_per_block[3], 2);
}

TEST(ConfigTest, IntegersOrLists) {
  const auto unet = ReadConfig<SvdUnetConfig>(
      {{"layers_per_block", {1, 2, 2, 1}}, {"num_attention_heads", 4}, {"sample_size", {40, 64}}}, "c");
  EXPECT_EQ(unet.layers_per_block[3], 1);
  EXPECT_EQ(unet.num_attention_heads[3], 4);
  EXPECT_EQ(unet.sample_size[1], 64);
  // Down blocks of 1, 2, 2, 1 layers; up blocks one more each, in reverse.
  const Graph graph = BuildSvdUnet(unet, 1, 2, 8, 8);
  EXPECT_NE(graph.Find("up_blocks.1.resnets.2.spatial_res_block.conv1"), kNoValue);
  EXPECT_EQ(graph.Find("up_blocks.0.resnets.2.spatial_res_block.conv1"), kNoValue);
}

TEST(ConfigTest, WrongTypesNameFileKeyFoundAndExpected) {
  EXPECT_EQ(Refusal<VaeConfig>(json::array()), "config.json: expected a JSON object, found []");
  EXPECT_EQ(Refusal<VaeConfig>({{"_class_name", "AutoencoderKL"}}),
            "config.json: key '_class_name' is \"AutoencoderKL\", expected \"AutoencoderKLTemporalDecoder\"");
  EXPECT_EQ(Refusal<VaeConfig>({{"_class_name", 3}}),
            "config.json: key '_class_name' is 3, expected \"AutoencoderKLTemporalDecoder\"");
  EXPECT_EQ(Refusal<VaeConfig>({{"layers_per_block", 2.5}}),
            "config.json: key 'layers_per_block' is 2.5, expected an integer");
  EXPECT_EQ(Refusal<VaeConfig>({{"layers_per_block", true}}),
            "config.json: key 'layers_per_block' is true, expected an integer");
  EXPECT_EQ(Refusal<VaeConfig>({{"layers_per_block", 18446744073709551615u}}),
            "config.json: key 'layers_per_block' is 18446744073709551615, expected an integer");
  EXPECT_EQ(Refusal<VaeConfig>({{"force_upcast", nullptr}}),
            "config.json: key 'force_upcast' is null, expected true or false");
  EXPECT_EQ(Refusal<VaeConfig>({{"scaling_factor", "1"}}),
            "config.json: key 'scaling_factor' is \"1\", expected a number");
  EXPECT_EQ(Refusal<VaeConfig>({{"block_out_channels", 64}}),
            "config.json: key 'block_out_channels' is 64, expected a list");
  EXPECT_EQ(Refusal<VaeConfig>({{"block_out_channels", {64, "x\n"}}}),
            "config.json: key 'block_out_channels' is \"x\\n\", expected an integer");
  EXPECT_EQ(Refusal<SvdUnetConfig>({{"layers_per_block", "2"}}),
            "config.json: key 'layers_per_block' is \"2\", expected an integer or a list of integers");
  EXPECT_EQ(Refusal<SvdUnetConfig>({{"transformer_layers_per_block", {{1, 1}, {1, 1}, {1, 1}, {1, 1}}}}),
            "config.json: key 'transformer_layers_per_block' is [1,1], expected an integer");
  EXPECT_EQ(Refusal<ClipVisionConfig>({{"model_type", "siglip"}}),
            "config.json: key 'model_type' is \"siglip\", expected \"clip_vision_model\"");
}

TEST(ConfigTest, ValuesThatNoBuilderTakes) {
  EXPECT_EQ(Refusal<VaeConfig>({{"block_out_channels", {48}}}),
            "config.json: key 'block_out_channels' is 48, expected a multiple of 32 (groups of the norms)");
  EXPECT_EQ(Refusal<VaeConfig>({{"block_out_channels", nullptr}}),
            "config.json: key 'block_out_channels' has 0 values, expected 1 to 8");
  EXPECT_EQ(Refusal<VaeConfig>({{"block_out_channels", {64, 64}}}),
            "config.json: key 'down_block_types' has 1 values, expected 2");
  EXPECT_EQ(
      Refusal<VaeConfig>({{"down_block_types", {"AttnDownEncoderBlock2D"}}}),
      "config.json: key 'down_block_types' is \"AttnDownEncoderBlock2D\", supported: DownEncoderBlock2D");
  EXPECT_EQ(Refusal<VaeConfig>({{"scaling_factor", 0}}),
            "config.json: key 'scaling_factor' is 0, expected above 0 and at most 1e+06");
  EXPECT_EQ(Refusal<SvdUnetConfig>({{"block_out_channels", {320, 640, 1280, 1312}}}),
            "config.json: key 'block_out_channels' is 1312, expected a multiple of 20 (attention heads)");
  EXPECT_EQ(Refusal<SvdUnetConfig>({{"num_attention_heads", {5, 10}}}),
            "config.json: key 'num_attention_heads' has 2 values, expected one or one for each of 4 blocks");
  EXPECT_EQ(Refusal<SvdUnetConfig>({{"num_attention_heads", nullptr}}),
            "config.json: key 'num_attention_heads' has 0 values, expected one or one for each of 4 blocks");
  EXPECT_EQ(Refusal<SvdUnetConfig>({{"layers_per_block", {2, 2, 2, 0}}}),
            "config.json: key 'layers_per_block' is 0, expected 1 to 16");
  EXPECT_EQ(Refusal<SvdUnetConfig>({{"in_channels", -8}}),
            "config.json: key 'in_channels' is -8, expected 1 to 16384");
  EXPECT_EQ(
      Refusal<SvdUnetConfig>({{"cross_attention_dim", {1024, 1024, 768, 1024}}}),
      "config.json: key 'cross_attention_dim' differs between blocks (1024, 768), but all are given the "
      "same context");
  EXPECT_EQ(Refusal<SvdUnetConfig>({{"projection_class_embeddings_input_dim", 512}}),
            "config.json: key 'projection_class_embeddings_input_dim' is 512, expected 768, three times "
            "addition_time_embed_dim");
  EXPECT_EQ(Refusal<TaesdConfig>({{"act_fn", "mish"}}),
            "config.json: key 'act_fn' is \"mish\", supported: relu, silu, swish, gelu");
  EXPECT_EQ(Refusal<TaesdConfig>({{"upsampling_scaling_factor", 8}}),
            "config.json: key 'upsampling_scaling_factor' makes 512 pixels of one, expected at most 64");
  EXPECT_EQ(Refusal<TaesdConfig>({{"decoder_block_out_channels", {64, 64, 64, 32}}}),
            "config.json: key 'decoder_block_out_channels' differs between levels, expected one width");
  EXPECT_EQ(Refusal<ClipVisionConfig>({{"hidden_act", "relu"}}),
            "config.json: key 'hidden_act' is \"relu\", supported: gelu, quick_gelu");
  EXPECT_EQ(Refusal<ClipVisionConfig>({{"num_attention_heads", 5}}),
            "config.json: key 'hidden_size' is 768, expected a multiple of 5 (num_attention_heads)");
  EXPECT_EQ(Refusal<ClipVisionConfig>({{"patch_size", 225}}),
            "config.json: key 'patch_size' is 225, expected 1 to 224");
  EXPECT_EQ(Refusal<FeatureExtractorConfig>({{"image_std", {0.2, 0, 0.2}}}),
            "config.json: key 'image_std' is 0, expected above 0 and at most 1e+06");
}

// Types that a config outside this folder has: the noise schedule's.
struct OtherConfig {
  static constexpr std::string_view kClassKey = "_class_name", kClassName = "Other";
  std::optional<double> sigma_min = 0.5;
  std::vector<float> trained_betas;
  template <class V>
  void Visit(V&& v) {
    v("sigma_min", sigma_min), v("trained_betas", trained_betas);
  }
};

TEST(ConfigTest, NullsAreAbsentValues) {
  OtherConfig config = ReadConfig<OtherConfig>({{"sigma_min", nullptr}, {"trained_betas", nullptr}}, "c");
  EXPECT_FALSE(config.sigma_min.has_value());
  EXPECT_TRUE(config.trained_betas.empty());
  EXPECT_EQ(WriteConfig(config),
            json({{"_class_name", "Other"}, {"sigma_min", nullptr}, {"trained_betas", nullptr}}));
  config = ReadConfig<OtherConfig>({{"sigma_min", 2}, {"trained_betas", {0.5, 1}}}, "c");
  EXPECT_EQ(config.sigma_min, 2.0);
  EXPECT_EQ(config.trained_betas, (std::vector<float>{0.5f, 1.0f}));
  EXPECT_EQ(Refusal<OtherConfig>({{"trained_betas", {1e300}}}),
            "config.json: key 'trained_betas' is 1e+300, expected a number that fits 32 bits");
}

// Whatever a config says, it is refused or it builds: no check of ours may fire. Random values about the
// limits, a thousand configs of each kind.
TEST(ConfigTest, WhatIsAcceptedBuilds) {
  uint64_t state = 1;
  const auto random = [&state](int64_t n) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return int64_t((state >> 33) % uint64_t(n));
  };
  const json channels = {0, 31, 32, 64, 96, 320};
  const json small = {-1, 0, 1, 2, 3, 5, nullptr};
  const auto list = [&](const json& from, int64_t most) {
    json values = json::array();
    for (int64_t n = random(most + 1); n > 0; --n)
      values.push_back(from[size_t(random(int64_t(from.size())))]);
    return values;
  };
  const auto pick = [&](const json& from) { return from[size_t(random(int64_t(from.size())))]; };
  int built = 0;
  for (int round = 0; round < 1000; ++round) {
    const json one = random(2) == 0 ? list(small, 2) : pick(small);
    const json unet = {
        {"block_out_channels", list(channels, 3)},
        {"down_block_types", list({"CrossAttnDownBlockSpatioTemporal", "DownBlockSpatioTemporal"}, 3)},
        {"up_block_types", list({"CrossAttnUpBlockSpatioTemporal", "UpBlockSpatioTemporal"}, 3)},
        {"layers_per_block", random(2) == 0 ? one : json(1)},
        {"num_attention_heads", random(2) == 0 ? one : json(2)},
        {"transformer_layers_per_block", 1},
        {"in_channels", pick(small)}};
    const json taesd = {{"act_fn", pick({"relu", "gelu", "silu", "swish", "tanh"})},
                        {"decoder_block_out_channels", list({8, 8, 8, 8, 16}, 2)},
                        {"num_decoder_blocks", list(small, 2)},
                        {"upsampling_scaling_factor", pick(small)}};
    const json clip = {{"hidden_size", pick(channels)},
                       {"num_attention_heads", pick(small)},
                       {"num_hidden_layers", pick(small)},
                       {"image_size", pick(channels)},
                       {"patch_size", pick(small)}};
    try {
      BuildSvdUnet(ReadConfig<SvdUnetConfig>(unet, "c"), 1, 2, 3, 5), ++built;
    } catch (const Error&) {
    }
    try {
      BuildTaesdDecoder(ReadConfig<TaesdConfig>(taesd, "c"), 1, 2, 3, 5), ++built;
    } catch (const Error&) {
    }
    const json vae = {{"block_out_channels", list(channels, 3)},
                      {"down_block_types", list({"DownEncoderBlock2D"}, 3)},
                      {"layers_per_block", pick(small)},
                      {"latent_channels", pick(small)}};
    try {
      const auto config = ReadConfig<VaeConfig>(vae, "c");
      BuildVaeEncoder(config, 1, ScaleFactor(config), 9), BuildVaeDecoder(config, 1, 2, 1, 3), ++built;
    } catch (const Error&) {
    }
    try {
      BuildClipVision(ReadConfig<ClipVisionConfig>(clip, "c"), 1), ++built;
    } catch (const Error&) {
    }
  }
  EXPECT_GT(built, 50);  // else the test saw refusals alone
}

}  // namespace
}  // namespace mvd
