// The UNet's compressed forms: what the configs say of themselves, shapes, names, and what is refused.
#include "mvd/models/unet_compression.h"

#include <gtest/gtest.h>

#include <set>

#include "mvd/base/error_testing.h"
#include "mvd/models/presets.h"
#include "mvd/models/unet_layout.h"

namespace mvd {
namespace {

using nlohmann::json;

SvdUnetConfig Svd() { return FindPreset("svd").models.unet; }

json With(const json& extra, const SvdUnetConfig& config = FindPreset("svd-tiny").models.unet) {
  json all = WriteConfig(config);
  all.update(extra);
  return all;
}

std::set<std::string> WeightNames(const Graph& graph) {
  std::set<std::string> names;
  for (ValueId id : graph.All(Op::kWeight)) names.insert(graph.node(id).name);
  return names;
}

TEST(UnetLayoutTest, Svds38TemporalBlocks) {
  const std::vector<std::string> blocks = TemporalBlocks(Svd());
  ASSERT_EQ(blocks.size(), 38u);
  const auto resnets = std::count_if(blocks.begin(), blocks.end(),
                                     [](const auto& b) { return b.find("resnets") != std::string::npos; });
  EXPECT_EQ(resnets, 22);
  EXPECT_EQ(blocks.front(), "down_blocks.0.resnets.0");
  EXPECT_EQ(blocks[1], "down_blocks.0.attentions.0");
  EXPECT_EQ(blocks.back(), "up_blocks.3.attentions.2");
}

TEST(UnetLayoutTest, PairsAndProjections) {
  const std::vector<FunnelPair> pairs = FunnelPairs(Svd());
  // 16 transformers have a spatial and a temporal self-attention with two pairs each, 22 residual blocks two.
  EXPECT_EQ(pairs.size(), 16u * 4 + 22 * 2);
  EXPECT_EQ(pairs[0].name, "down_blocks.0.resnets.0.spatial_res_block.conv");
  EXPECT_EQ(pairs[2].name, "down_blocks.0.attentions.0.transformer_blocks.0.attn1.qk");
  EXPECT_EQ(pairs[2].heads, 5);
  EXPECT_EQ(pairs[2].channels, 64);
  EXPECT_EQ(pairs[3].second, "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_out.0");
  EXPECT_EQ(AttentionProjections(Svd()).size(), 16u * 2 * 2 * 4);
  SvdUnetConfig pruned = Svd();
  pruned.compression.kept_temporal_blocks.emplace();
  EXPECT_EQ(FunnelPairs(pruned).size(), 16u * 2 + 22);
}

TEST(UnetCompressionTest, PlainConfigsSayNothing) {
  const json plain = WriteConfig(Svd());
  for (const char* key : {"temporal_multiscale", "funnels", "kept_temporal_blocks", "sampling"})
    EXPECT_FALSE(plain.contains(key)) << key;
}

TEST(UnetCompressionTest, RoundTrips) {
  SvdUnetConfig config = FindPreset("svd-tiny").models.unet;
  UnetCompression& c = config.compression;
  c.temporal_multiscale = 2;
  c.multiscale_frame_index = kOuterFrames;
  c.single_token_cross_attention = true;
  c.kept_temporal_blocks = {"mid_block.attentions.0", "down_blocks.0.resnets.0"};
  c.funnels = {{"mid_block.attentions.0.transformer_blocks.0.attn1.qk", 16},
               {"down_blocks.0.resnets.0.temporal_res_block.conv", 32}};
  c.funnels_merged = true;
  c.low_rank = {{"mid_block.attentions.0.transformer_blocks.0.attn2.to_v", 8}};
  config.sampling.steps = 1;
  config.sampling.sigma_max = 700;
  config.sampling.frame_noise = "shared";
  const json written = WriteConfig(config);
  EXPECT_EQ(written["sampling"], json({{"steps", 1}, {"sigma_max", 700.0}, {"frame_noise", "shared"}}));
  EXPECT_EQ(ReadConfig<SvdUnetConfig>(json::parse(written.dump()), "config.json"), config) << written;
  c.funnels.clear(), c.low_rank.clear();
  c.kept_temporal_blocks.emplace();  // none is kept: another thing than null
  const auto none = ReadConfig<SvdUnetConfig>(json::parse(WriteConfig(config).dump()), "config.json");
  ASSERT_TRUE(none.compression.kept_temporal_blocks.has_value());
  EXPECT_TRUE(none.compression.kept_temporal_blocks->empty());
}

// Sizes of any parity come back as they were, frames and pixels.
TEST(UnetCompressionTest, MultiscalingKeepsSizes) {
  for (const char* restore : {"before_up_block", "before_upsampler_conv"}) {
    for (int64_t temporal : {1, 2}) {
      for (int64_t spatial : {1, 2}) {
        SvdUnetConfig config = Svd();
        config.compression.temporal_multiscale = temporal;
        config.compression.spatial_multiscale = spatial;
        config.compression.spatial_multiscale_restore = restore;
        for (const auto& [t, h, w] :
             {std::tuple<int64_t, int64_t, int64_t>{14, 32, 64}, {13, 45, 80}, {1, 9, 7}, {5, 1, 1}}) {
          const Graph graph = BuildSvdUnet(config, 1, t, h, w);
          EXPECT_EQ(graph.shape(graph.outputs[0].value), Shape({1, t, h, w, 4}));
          const Dims mid = DimsOf(graph.shape(graph.Find("mid_block.resnets.0.spatial_res_block.conv1")));
          EXPECT_EQ(mid.t, (t + temporal - 1) / temporal);
        }
        EXPECT_EQ(WeightNames(BuildSvdUnet(config, 1, 14, 8, 8)),
                  WeightNames(BuildSvdUnet(Svd(), 1, 14, 8, 8)));
      }
    }
  }
}

// The first down block, its skips and the last up block stay at full rate, all between is pooled.
TEST(UnetCompressionTest, WhereMultiscalingStands) {
  SvdUnetConfig config = Svd();
  config.compression.temporal_multiscale = 2;
  config.compression.multiscale_frame_index = kOuterFrames;
  const Graph graph = BuildSvdUnet(config, 1, 14, 32, 64);
  const auto frames = [&](const std::string& name) { return DimsOf(graph.shape(graph.Find(name))).t; };
  EXPECT_EQ(frames("down_blocks.0.downsamplers.0.conv"), 14);
  EXPECT_EQ(frames("down_blocks.1.resnets.0.spatial_res_block.conv1"), 7);
  EXPECT_EQ(frames("up_blocks.2.upsamplers.0.conv"), 7);
  EXPECT_EQ(frames("up_blocks.3.resnets.0.spatial_res_block.conv1"), 14);
  int64_t shifted = 0;
  for (ValueId id : graph.All(Op::kAffine)) {
    EXPECT_EQ(graph.node(id).as<AffineAttrs>().scale, 2);
    EXPECT_EQ(graph.node(id).as<AffineAttrs>().shift, 0.5);
    ++shifted;
  }
  EXPECT_EQ(shifted, 11);  // transformers of levels 1, 2 and the middle: 2 + 2 + 1 + 3 + 3
}

TEST(UnetCompressionTest, PrunedBlocksLeaveNoWeight) {
  SvdUnetConfig config = Svd();
  config.compression.kept_temporal_blocks = {"down_blocks.0.attentions.0"};
  const std::set<std::string> names = WeightNames(BuildSvdUnet(config, 1, 14, 8, 8));
  int kept = 0;
  for (const std::string& name : names) {
    const bool temporal = name.find("temporal") != std::string::npos ||
                          name.find("time_mixer") != std::string::npos ||
                          name.find("time_pos_embed") != std::string::npos;
    if (!temporal) continue;
    EXPECT_TRUE(name.starts_with("down_blocks.0.attentions.0.")) << name;
    ++kept;
  }
  EXPECT_GT(kept, 20);
  const Graph gated = BuildSvdUnet(config, 1, 14, 8, 8, {.temporal_gates = true});
  EXPECT_EQ(gated.shape(gated.Find("temporal_gates")), Shape({1, 1, 1, 1, 1}));
  EXPECT_EQ(BuildSvdUnet(Svd(), 1, 14, 8, 8, {.temporal_gates = true}).All(Op::kSlice).size(), 38u);
}

TEST(UnetCompressionTest, SingleTokenAttentionNeedsNoQueries) {
  SvdUnetConfig config = Svd();
  config.compression.single_token_cross_attention = true;
  int64_t before = 0, after = 0;
  const auto count = [](const Graph& graph, int64_t* sum) {
    for (ValueId id : graph.All(Op::kWeight)) *sum += graph.shape(id).elements();
  };
  count(BuildSvdUnet(Svd(), 1, 2, 8, 8), &before);
  count(BuildSvdUnet(config, 1, 2, 8, 8), &after);
  EXPECT_NEAR(double(before - after), 50.4e6, 0.1e6);  // to_q, to_k, norm2 of 32 blocks
}

TEST(UnetCompressionTest, WhatIsRefusedNamesTheKey) {
  const auto refused = [](const json& extra, const std::string& message) {
    ExpectOneLineError(Exit::kBadInput, "config.json: key '" + message,
                       [&] { ReadConfig<SvdUnetConfig>(With(extra), "config.json"); });
  };
  refused({{"temporal_multiscale", 0}}, "temporal_multiscale' is 0, expected 1 to 8");
  refused({{"multiscale_frame_index", "middle"}},
          "multiscale_frame_index' is \"middle\", supported: inner, outer");
  refused({{"kept_temporal_blocks", {"mid_block"}}},
          "kept_temporal_blocks' has \"mid_block\", which is no temporal");
  refused({{"kept_temporal_blocks", {"mid_block.resnets.0", "mid_block.resnets.0"}}},
          "kept_temporal_blocks' has 'mid_block.resnets.0' twice");
  refused({{"kept_temporal_blocks", 3}}, "kept_temporal_blocks' is 3, expected a list");
  const std::string block = "mid_block.attentions.0.temporal_transformer_blocks.0.attn1";
  refused({{"funnels", {{"x\n", 3}}}}, "funnels' has \"x\\n\", which is no pair of layers");
  refused({{"funnels", {{block + ".qk", 33}}}},
          "funnels' gives '" + block + ".qk' 33 channels, expected 1 to 32");
  refused({{"funnels", {{block + ".qk", 8}}}, {"kept_temporal_blocks", json::array({"mid_block.resnets.0"})}},
          "funnels' has \"" + block + ".qk\", which is no pair");
  refused(
      {{"funnels", {{"mid_block.resnets.0.spatial_res_block.conv", 40}}}},
      "funnels' gives 'mid_block.resnets.0.spatial_res_block.conv' 40 channels, expected a multiple of 32");
  refused({{"low_rank", {{block + ".to_q", 500}}}},
          "low_rank' gives '" + block + ".to_q' rank 500, expected 1 to 128");
  refused({{"low_rank", {{block + ".to_q", 8}}}, {"funnels", {{block + ".qk", 8}}}},
          "low_rank' has '" + block + ".to_q', which has a funnel already");
  refused({{"sampling", 3}}, "sampling' is 3, expected an object");
}

}  // namespace
}  // namespace mvd
