// The graphs against the originals: every weight's name and shape, parameter counts, shapes of odd sizes.
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <fstream>
#include <map>
#include <sstream>

#include "mvd/base/error.h"
#include "mvd/base/source_dir_testing.h"
#include "mvd/ir/text.h"
#include "mvd/models/presets.h"
#include "mvd/models/video_features.h"

namespace mvd {
namespace {

using Weights = std::map<std::string, Shape>;

void AddWeights(const Graph& graph, Weights* weights) {
  for (ValueId id : graph.All(Op::kWeight)) (*weights)[graph.node(id).name] = graph.shape(id);
}

Weights WeightsOf(std::initializer_list<Graph> graphs) {
  Weights weights;
  for (const Graph& graph : graphs) AddWeights(graph, &weights);
  return weights;
}

// testdata/models/NAME.txt, made from diffusers and transformers by tools/make_weight_lists.py.
Weights Original(const std::string& name) {
  std::ifstream file(SourceDir() / "testdata/models" / (name + ".txt"));
  EXPECT_TRUE(file) << name;
  Weights weights;
  std::string key, sizes;
  while (file >> key >> sizes) {
    std::vector<int64_t> dims;
    std::istringstream list(sizes);
    for (std::string dim; std::getline(list, dim, ',');) dims.push_back(std::stoll(dim));
    weights[key] = Shape(dims);
  }
  return weights;
}

void ExpectSame(const Weights& ours, const Weights& original) {
  EXPECT_FALSE(original.empty());
  for (const auto& [name, shape] : original) {
    const auto found = ours.find(name);
    if (found == ours.end()) {
      ADD_FAILURE() << "missing " << name;
    } else {
      EXPECT_EQ(found->second, shape) << name;
    }
  }
  for (const auto& [name, shape] : ours)
    EXPECT_TRUE(original.contains(name)) << "not in the original: " << name;
}

int64_t Parameters(const Weights& weights, const std::string& part = "") {
  int64_t sum = 0;
  for (const auto& [name, shape] : weights) {
    if (name.find(part) != name.npos) sum += shape.elements();
  }
  return sum;
}

Shape OutputShape(const Graph& graph, const std::string& name) {
  EXPECT_EQ(graph.outputs.size(), 1u);
  EXPECT_EQ(graph.outputs[0].name, name);
  return graph.shape(graph.outputs[0].value);
}

TEST(SvdUnetTest, WeightsAreTheOriginals) {
  const auto start = std::chrono::steady_clock::now();
  const Graph graph = BuildSvdUnet(FindPreset("svd").models.unet, 1, 14, 72, 128);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  RecordProperty("build_ms", int(seconds.count() * 1000));
  // It takes 4 ms: a second leaves room for sanitizers on a loaded machine, not for a slow algorithm.
  EXPECT_LT(seconds.count(), 1.0);
  EXPECT_EQ(OutputShape(graph, "sample"), Shape({1, 14, 72, 128, 4}));
  ExpectSame(WeightsOf({graph}), Original("svd_unet"));
}

// The parts that the paper speaks of: 656 M parameters are temporal.
TEST(SvdUnetTest, ParametersByPart) {
  const Weights weights = WeightsOf({BuildSvdUnet(FindPreset("svd").models.unet, 1, 2, 8, 8)});
  EXPECT_EQ(Parameters(weights), 1524623082);
  const int64_t temporal_res = Parameters(weights, "temporal_res_block");
  const int64_t temporal_transformers = Parameters(weights, "temporal_transformer_blocks");
  const int64_t frame_embeddings = Parameters(weights, "time_pos_embed");
  EXPECT_NEAR(double(Parameters(weights, "spatial_res_block")), 537.67e6, 0.005e6);
  EXPECT_NEAR(double(temporal_res), 159.27e6, 0.005e6);
  EXPECT_NEAR(double(temporal_transformers), 397.62e6, 0.005e6);
  EXPECT_NEAR(double(frame_embeddings), 99.19e6, 0.005e6);
  EXPECT_NEAR(double(Parameters(weights, "attentions") - temporal_transformers - frame_embeddings), 273.63e6,
              0.005e6);
  EXPECT_NEAR(double(Parameters(weights, "samplers")), 52.54e6, 0.005e6);
  EXPECT_EQ(Parameters(weights, "mix_factor"), 38);
  EXPECT_EQ((temporal_res + temporal_transformers + frame_embeddings + 38 + 5000) / 10000,
            65608);  // 656.08 M
}

// No size of latent is special: upsamplers aim at the skip they meet, down to one pixel.
TEST(SvdUnetTest, OddLatentSizes) {
  const SvdUnetConfig config = FindPreset("svd").models.unet;
  const std::vector<std::array<int64_t, 2>> sizes = {{45, 80}, {9, 7}, {1, 1}};
  for (const auto& [height, width] : sizes) {
    const Graph graph = BuildSvdUnet(config, 2, 3, height, width);
    EXPECT_EQ(OutputShape(graph, "sample"), Shape({2, 3, height, width, 4}));
  }
  const Graph graph = BuildSvdUnet(config, 1, 1, 45, 80);
  EXPECT_EQ(graph.shape(graph.Find("up_blocks.0.upsamplers.0.conv")), Shape({1, 1, 12, 20, 1280}));
  EXPECT_EQ(graph.shape(graph.Find("up_blocks.1.upsamplers.0.conv")), Shape({1, 1, 23, 40, 1280}));
}

TEST(SvdUnetTest, EncoderTaps) {
  const SvdUnetConfig config = FindPreset("svd").models.unet;
  for (const auto& [taps, first] : {std::pair(EncoderTaps::kBlocks, Shape({1, 2, 4, 8, 320})),
                                    std::pair(EncoderTaps::kLayers, Shape({1, 2, 8, 16, 320}))}) {
    const Graph graph = BuildSvdUnet(config, 1, 2, 8, 16, {.encoder_taps = taps});
    ASSERT_EQ(graph.outputs.size(), 4u);
    const auto shape = [&](size_t tap) { return graph.shape(graph.outputs[tap].value); };
    EXPECT_EQ(graph.outputs[0].name, "down_blocks.0");
    EXPECT_EQ(shape(0), first);
    EXPECT_EQ(shape(3), Shape({1, 2, 1, 2, 1280}));  // nothing is halved behind it
  }
}

TEST(SvdUnetTest, InputsPhasesAndContext) {
  const Graph graph = BuildSvdUnet(FindPreset("svd").models.unet, 2, 14, 8, 16);
  const auto input = [&](const std::string& name) -> const Node& { return graph.node(graph.Find(name)); };
  EXPECT_EQ(graph.All(Op::kInput).size(), 4u);
  EXPECT_EQ(input("sample").shape, Shape({2, 14, 8, 16, 8}));
  EXPECT_EQ(input("timestep").shape, Shape({2, 1, 1, 1, 1}));
  EXPECT_EQ(input("timestep").phase, Phase::kStep);
  EXPECT_EQ(input("encoder_hidden_states").shape, Shape({2, 1, 1, 1, 1024}));
  EXPECT_EQ(input("encoder_hidden_states").phase, Phase::kClip);
  EXPECT_EQ(input("added_time_ids").shape, Shape({2, 1, 1, 1, 3}));
  EXPECT_EQ(input("added_time_ids").phase, Phase::kClip);
  // The original's cross-attention has one key for each frame, and one for each pixel.
  const std::string block = "down_blocks.0.attentions.0.";
  EXPECT_EQ(input(block + "transformer_blocks.0.attn2.to_k").shape, Shape({2, 14, 1, 1, 320}));
  EXPECT_EQ(input(block + "temporal_transformer_blocks.0.attn2.to_k").shape, Shape({2, 1, 8, 16, 320}));
  const auto& attention = input(block + "temporal_transformer_blocks.0.attn1.attention").as<AttentionAttrs>();
  EXPECT_EQ(attention.axis, Axis::kTemporal);
  EXPECT_EQ(attention.heads, 5);
  EXPECT_EQ(attention.scale, 0.125);
}

// diffusers sets these in its blocks' constructors; no config shows them.
TEST(SvdUnetTest, EpsOfEachKindOfBlock) {
  const Graph graph = BuildSvdUnet(FindPreset("svd").models.unet, 1, 2, 8, 8);
  const auto eps = [&](const std::string& name) {
    return graph.node(graph.Find(name)).as<GroupNormAttrs>().eps;
  };
  for (const std::string norm : {"spatial_res_block.norm1", "temporal_res_block.norm2"}) {
    EXPECT_EQ(eps("down_blocks.0.resnets.0." + norm), 1e-6);
    EXPECT_EQ(eps("down_blocks.3.resnets.1." + norm), 1e-5);
    EXPECT_EQ(eps("mid_block.resnets.1." + norm), 1e-5);
    EXPECT_EQ(eps("up_blocks.0.resnets.0." + norm), 1e-6);
    EXPECT_EQ(eps("up_blocks.3.resnets.2." + norm), 1e-6);
  }
  EXPECT_EQ(eps("mid_block.attentions.0.norm"), 1e-6);
  EXPECT_EQ(eps("conv_norm_out"), 1e-5);
}

// The autoencoder blends the other way round, and temporal norms look at all frames.
TEST(BlocksTest, MixAndAxes) {
  const ModelConfigs models = FindPreset("svd-tiny").models;
  const Graph unet = BuildSvdUnet(models.unet, 1, 2, 8, 8), decoder = BuildVaeDecoder(models.vae, 1, 2, 1, 1);
  for (ValueId id : unet.All(Op::kBlend)) EXPECT_FALSE(unet.node(id).as<BlendAttrs>().swapped);
  for (ValueId id : decoder.All(Op::kBlend)) EXPECT_TRUE(decoder.node(id).as<BlendAttrs>().swapped);
  // Down 1 + 1, middle 2, up 2 + 2 residual blocks; a transformer behind each of 1, 1 and 2.
  EXPECT_EQ(unet.All(Op::kBlend).size(), 8u + 4u);
  EXPECT_EQ(decoder.All(Op::kBlend).size(), 2u + 4u * 3u);
  for (const Graph& graph : {unet, decoder}) {
    for (ValueId id : graph.All(Op::kGroupNorm)) {
      const bool temporal = graph.node(id).name.find("temporal_res_block") != std::string::npos;
      EXPECT_EQ(graph.node(id).as<GroupNormAttrs>().axis == Axis::kTemporal, temporal) << graph.node(id).name;
    }
  }
}

TEST(VaeTest, WeightsAreTheOriginals) {
  const VaeConfig config = FindPreset("svd").models.vae;
  const Graph encoder = BuildVaeEncoder(config, 2, 64, 128);
  const Graph decoder = BuildVaeDecoder(config, 1, 3, 5, 7);
  EXPECT_EQ(OutputShape(encoder, "latent"), Shape({2, 1, 8, 16, 4}));
  EXPECT_EQ(OutputShape(decoder, "image"), Shape({1, 3, 40, 56, 3}));
  ExpectSame(WeightsOf({encoder, decoder}), Original("svd_vae"));
  const auto eps = [&](const std::string& name) {
    return decoder.node(decoder.Find("decoder.up_blocks.0.resnets.0." + name)).as<GroupNormAttrs>().eps;
  };
  EXPECT_EQ(eps("spatial_res_block.norm1"), 1e-6);
  EXPECT_EQ(eps("temporal_res_block.norm1"), 1e-5);
}

// A picture of the least size, and odd ones, whose last row and column the original drops.
TEST(VaeTest, SmallAndOddPictures) {
  const VaeConfig config = FindPreset("svd").models.vae;
  EXPECT_EQ(ScaleFactor(config), 8);
  EXPECT_EQ(OutputShape(BuildVaeEncoder(config, 1, 8, 15), "latent"), Shape({1, 1, 1, 1, 4}));
  EXPECT_EQ(OutputShape(BuildVaeEncoder(config, 1, 37, 16), "latent"), Shape({1, 1, 4, 2, 4}));
  EXPECT_THROW(BuildVaeEncoder(config, 1, 7, 16), InternalError);
}

TEST(TaesdTest, WeightsAreTheOriginals) {
  const TaesdConfig config;
  const Graph encoder = BuildTaesdEncoder(config, 2, 65, 128);
  const Graph decoder = BuildTaesdDecoder(config, 1, 3, 5, 7);
  EXPECT_EQ(OutputShape(encoder, "latent"), Shape({2, 1, 9, 16, 4}));
  EXPECT_EQ(OutputShape(decoder, "image"), Shape({1, 3, 40, 56, 3}));
  ExpectSame(WeightsOf({encoder, decoder}), Original("taesd"));
  EXPECT_EQ(Parameters(WeightsOf({encoder})), 1222532);
  EXPECT_EQ(Parameters(WeightsOf({decoder})), 1222531);
  EXPECT_EQ(ScaleFactor(config), 8);
}

TEST(VideoFeaturesTest, OutputsFollowTheConfig) {
  const VideoFeaturesConfig config;
  const Graph graph = BuildVideoFeatures(config, 2);
  std::map<std::string, Shape> shapes;
  for (const Output& output : graph.outputs) shapes[output.name] = graph.shape(output.value);
  EXPECT_EQ(shapes, (std::map<std::string, Shape>{{"features", Shape({2, 1, 1, 1, 32})},
                                                  {"kind", Shape({2, 1, 1, 1, 18})},
                                                  {"motion", Shape({2, 1, 1, 1, 32})},
                                                  {"damage", Shape({2, 1, 1, 1, 5})}}));
  VideoFeaturesConfig odd;
  odd.width = 120;
  EXPECT_THROW(CheckConfig(ConfigChecker("here"), odd), Error);
}

TEST(ClipVisionTest, WeightsAreTheOriginals) {
  const Graph graph = BuildClipVision(FindPreset("svd").models.image_encoder, 2);
  EXPECT_EQ(OutputShape(graph, "image_embeds"), Shape({2, 1, 1, 1, 1024}));
  ExpectSame(WeightsOf({graph}), Original("clip_vit_h"));
}

TEST(PresetsTest, EveryGraphPrintsAndParses) {
  for (const std::string& name : PresetNames()) {
    const Preset preset = FindPreset(name);
    const ModelConfigs& models = preset.models;
    for (const Graph& graph :
         {BuildSvdUnet(models.unet, 1, 2, 9, 16), BuildVaeEncoder(models.vae, 1, 16, 24),
          BuildVaeDecoder(models.vae, 1, 2, 2, 3), BuildTaesdEncoder(models.taesd, 1, 16, 24),
          BuildTaesdDecoder(models.taesd, 1, 2, 2, 3), BuildClipVision(models.image_encoder, 1)}) {
      const std::string text = Print(graph);
      EXPECT_EQ(Print(Parse(text)), text) << name << " " << graph.name;
    }
  }
}

// What one network hands to the next fits.
TEST(PresetsTest, PartsFitEachOther) {
  for (const std::string& name : PresetNames()) {
    const Preset preset = FindPreset(name);
    const ModelConfigs& models = preset.models;
    EXPECT_EQ(models.unet.in_channels, models.unet.out_channels + models.vae.latent_channels);
    EXPECT_EQ(models.unet.out_channels, models.vae.latent_channels);
    EXPECT_EQ(models.taesd.latent_channels, models.vae.latent_channels);
    EXPECT_EQ(ScaleFactor(models.taesd), ScaleFactor(models.vae));
    EXPECT_EQ(models.image_encoder.projection_dim, models.unet.cross_attention_dim[0]);
    EXPECT_EQ(models.image_encoder.image_size, 224);  // what the pipeline resizes to
    EXPECT_EQ(models.unet.num_frames, preset.defaults.frames);
    EXPECT_EQ(preset.defaults.height % ScaleFactor(models.vae), 0);
    EXPECT_EQ(preset.defaults.width % ScaleFactor(models.vae), 0);
    EXPECT_FALSE(preset.description.empty());
  }
  EXPECT_EQ(FindPreset("svd-xt").defaults.frames, 25);
}

TEST(PresetsTest, UnknownNamesListTheKnown) {
  try {
    FindPreset("sdxl");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.exit(), Exit::kUsage);
    EXPECT_TRUE(std::string(error.what())
                    .starts_with("no preset is named 'sdxl'; there are svd, svd-xt, svd-tiny, svd-512, "));
  }
}

}  // namespace
}  // namespace mvd
