// Steps as changes of a config: what each sets, and what is refused because it was done before.
#include "mvd/compress/unet_steps.h"

#include <gtest/gtest.h>

#include <cmath>

#include "mvd/base/error_testing.h"
#include "mvd/compress/describe_compression.h"
#include "mvd/models/presets.h"
#include "mvd/models/unet_layout.h"

namespace mvd {
namespace {

using Names = std::vector<std::string>;

SvdUnetConfig Tiny() { return FindPreset("svd-tiny").models.unet; }

SvdUnetConfig Apply(const SvdUnetConfig& source, const std::function<void(CompressionSteps&)>& set) {
  CompressionSteps steps;
  set(steps);
  return ApplySteps(source, steps, "config.json");
}
void Refused(const SvdUnetConfig& source, const std::string& message,
             const std::function<void(CompressionSteps&)>& set, Exit exit = Exit::kBadInput) {
  ExpectOneLineError(exit, message, [&] { Apply(source, set); });
}

void Fold(CompressionSteps& s) { s.fold_cross_attention = true; }
void Temporal(CompressionSteps& s) { s.temporal_multiscale = 2; }
void Spatial(CompressionSteps& s) { s.spatial_multiscale = 2; }
void Funnels(CompressionSteps& s) { s.funnel_factors[FunnelPlace::kAttention] = 0.5; }
void Merge(CompressionSteps& s) { s.merge = true; }
void LowRank(CompressionSteps& s) { s.low_rank = 0.5; }
void Keep(CompressionSteps& s) { s.keep = {"mid_block.resnets.0", "down_blocks.0.attentions.0"}; }

TEST(UnetStepsTest, EachStepOnceOnly) {
  const SvdUnetConfig folded = Apply(Tiny(), Fold);
  EXPECT_TRUE(folded.compression.single_token_cross_attention);
  Refused(folded, "config.json: key 'single_token_cross_attention' is true already", Fold);
  const SvdUnetConfig temporal = Apply(folded, Temporal);
  Refused(temporal, "key 'temporal_multiscale' is 2 already", Temporal);
  const SvdUnetConfig both = Apply(temporal, Spatial);
  Refused(both, "key 'spatial_multiscale' is 2 already", Spatial);
  const SvdUnetConfig kept = Apply(both, Keep);
  EXPECT_EQ(*kept.compression.kept_temporal_blocks,
            Names({"down_blocks.0.attentions.0", "mid_block.resnets.0"}));  // in the order they run
  Refused(kept, "key 'kept_temporal_blocks' has 2 names already", Keep);
  Refused(kept, "key 'funnels' is empty, expected funnels to merge", Merge);
  const SvdUnetConfig funnels = Apply(kept, Funnels);
  EXPECT_EQ(funnels.compression.funnels.size(), 2u * (4 + 1));  // four spatial attentions, one temporal
  Refused(funnels, "attn1.qk' with 16 channels already, expected", Funnels);
  Refused(funnels, "which has a funnel already", LowRank);
  const SvdUnetConfig merged = Apply(funnels, Merge);
  Refused(merged, "key 'funnels_merged' is true already", Merge);
  Refused(merged, "with 16 channels already, merged, expected", Funnels);
  Refused(merged, "key 'funnels_merged' is true, expected false, or new funnels merged too",
          [](auto& s) { s.funnel_factors[FunnelPlace::kConvolutions] = 0.5; });
  Refused(Apply(Tiny(), LowRank), "key 'low_rank' has 64 layers already", LowRank);
}

TEST(UnetStepsTest, MergedFunnelsTakeOthersBeside) {
  const SvdUnetConfig merged = Apply(Tiny(), [](auto& s) { Funnels(s), Merge(s); });
  const SvdUnetConfig both = Apply(merged, [](auto& s) {
    s.funnel_factors[FunnelPlace::kConvolutions] = 0.5;
    s.merge = true;
  });
  EXPECT_EQ(both.compression.funnels.size(), FunnelPairs(Tiny()).size());
}

// A pair's own width goes before the factor of its place.
TEST(UnetStepsTest, WidthsOfSinglePairs) {
  const std::string pair = "mid_block.attentions.0.transformer_blocks.0.attn1.qk";
  const SvdUnetConfig config = Apply(Tiny(), [&](auto& s) { Funnels(s), s.funnel_widths[pair] = 5; });
  EXPECT_EQ(config.compression.funnels.at(pair), 5);
  Refused(Tiny(), "key 'funnels' has \"nothing\", which is no pair",
          [](auto& s) { s.funnel_widths["nothing"] = 5; });
  Refused(Tiny(), "33 channels, expected 1 to 32", [&](auto& s) { s.funnel_widths[pair] = 33; });
  for (const double factor : {0.0, -0.5, 1.5, std::nan("")})
    Refused(
        Tiny(), "fun-factor is", [&](auto& s) { s.funnel_factors[FunnelPlace::kAttention] = factor; },
        Exit::kUsage);
}

TEST(UnetStepsTest, KeepListsAreChecked) {
  const SvdUnetConfig kept = Apply(Tiny(), Keep);
  Refused(kept, "cannot take 'mid_block.attentions.0', which is pruned already; 2 of 12 are left",
          [](auto& s) { s.keep = {"mid_block.attentions.0"}; });
  Refused(Tiny(), "cannot take \"mid\\n\", which is no temporal block", [](auto& s) { s.keep = {"mid\n"}; });
  Refused(Tiny(), "is given 'mid_block.resnets.0' twice", [](auto& s) {
    s.keep = {"mid_block.resnets.0", "mid_block.resnets.0"};
  });
  EXPECT_EQ(Apply(kept, [](auto& s) { s.keep = Names(); }).compression.kept_temporal_blocks->size(), 0u);
}

// Funnels and factors of a block go with it, those of folded queries too.
TEST(UnetStepsTest, WhatGoesTakesItsEntriesAlong) {
  const SvdUnetConfig funnels = Apply(Tiny(), Funnels), ranks = Apply(Tiny(), LowRank);
  EXPECT_EQ(Apply(funnels, Keep).compression.funnels.size(), 10u);
  EXPECT_EQ(Apply(ranks, Fold).compression.low_rank.size(), 64u - 2 * 8);
}

TEST(UnetStepsTest, ImportanceIsTheTemporalShare) {
  SvdUnetConfig config = Tiny();
  MapWeights weights;
  const Names blocks = TemporalBlocks(config);
  for (size_t i = 0; i < blocks.size(); ++i)
    weights.Set(blocks[i] + ".time_mixer.mix_factor",
                Tensor::FromVector({1}, std::vector<float>{i == 7   ? -2.0f
                                                           : i == 3 ? -1.0f
                                                                    : 0.5f}));
  const std::vector<double> q = TemporalImportance(config, weights);
  ASSERT_EQ(q.size(), 12u);
  EXPECT_NEAR(q[7], 1 - 1 / (1 + std::exp(2.0)), 1e-12);
  EXPECT_NEAR(q[0], 1 - 1 / (1 + std::exp(-0.5)), 1e-12);
  // Of equals the first, and the list in the order they run.
  EXPECT_EQ(MostImportantBlocks(config, q, 4), Names({blocks[0], blocks[1], blocks[3], blocks[7]}));
  EXPECT_EQ(MostImportantBlocks(config, q, 12), blocks);
  for (const int64_t count : {0, 13, -1})
    ExpectOneLineError(Exit::kUsage, "temporal blocks are to be kept, expected 1 to 12",
                       [&] { MostImportantBlocks(config, q, count); });
  weights.Set(blocks[2] + ".time_mixer.mix_factor", Tensor::FromVector({1}, std::vector<float>{NAN}));
  ExpectOneLineError(Exit::kBadInput, "mix_factor' is nan", [&] { TemporalImportance(config, weights); });
  config.compression.kept_temporal_blocks = {blocks[7]};
  EXPECT_EQ(TemporalImportance(config, weights).size(), 1u);
}

SvdUnetConfig Variant(const SvdUnetConfig& source, const char* name, const std::optional<Names>& keep = {},
                      bool merge = true) {
  return ApplyVariant(source, FindVariant(name), keep, merge, "config.json");
}

TEST(UnetStepsTest, VariantsOfSvdAreThePresets) {
  SvdUnetConfig svd = FindPreset("svd").models.unet;
  for (const MobileVariant& variant : MobileVariants()) {
    SvdUnetConfig want = FindPreset(variant.name).models.unet;
    if (want == svd) continue;
    EXPECT_EQ(Variant(svd, std::string(variant.name).c_str()), want) << variant.name;
  }
}

TEST(UnetStepsTest, VariantsOfWhatIsOnTheWay) {
  const SvdUnetConfig folded = Apply(Tiny(), Fold), mobile = Variant(Tiny(), "mobilevd");
  EXPECT_EQ(Variant(folded, "mobilevd"), mobile);
  EXPECT_EQ(Variant(Apply(folded, Temporal), "mobilevd"), mobile);
  EXPECT_FALSE(Variant(folded, "mobilevd", {}, false).compression.funnels_merged);
  // A list that was learned stays; one that is asked for is taken.
  Names learned = TemporalBlocks(Tiny());
  learned.erase(learned.begin());
  const SvdUnetConfig pruned = Apply(folded, [&](auto& s) { s.keep = learned; });
  EXPECT_EQ(Variant(pruned, "mobilevd").compression.kept_temporal_blocks, learned);
  EXPECT_EQ(Variant(folded, "mobilevd", learned).compression.kept_temporal_blocks, learned);
  const auto refused = [](const SvdUnetConfig& source, const char* name, const std::string& message) {
    ExpectOneLineError(Exit::kBadInput, "config.json: " + message, [&] { Variant(source, name); });
  };
  refused(mobile, "mobilevd", "describes 'mobilevd' already");
  refused(folded, "svd-512", "key 'single_token_cross_attention' is true, expected false");
  refused(Apply(Tiny(), [](auto& s) { s.temporal_multiscale = 3; }), "mobilevd",
          "key 'temporal_multiscale' is 3, expected 1 or 2");
  refused(Apply(Tiny(), Keep), "mobilevd",
          "key 'kept_temporal_blocks' has 2 names, 'down_blocks.0.resnets.0'");
  refused(mobile, "mobilevd-pruned", "key 'funnels' has 'down_blocks.0.attentions.0.");
  refused(Apply(Tiny(), [](auto& s) { s.funnel_factors[FunnelPlace::kAttention] = 0.25; }), "mobilevd",
          "key 'funnels' gives 'down_blocks.0.attentions.0.temporal_transformer_blocks.0.attn1.qk' 8, "
          "expected 16");
  ExpectOneLineError(Exit::kBadInput, "key 'funnels_merged' is true, expected false", [&] {
    Variant(Apply(Tiny(), [](auto& s) { Funnels(s), Merge(s); }), "mobilevd", {}, false);
  });
  ExpectOneLineError(Exit::kUsage, "18 temporal blocks are to survive, the network has 12",
                     [&] { Variant(Tiny(), "mobilevd-pruned-l1-53"); });
  ExpectOneLineError(Exit::kUsage, "--preset svd: expected one of svd-512, ", [] { FindVariant("svd"); });
}

TEST(UnetStepsTest, WordsForIt) {
  EXPECT_TRUE(DescribeCompression(Tiny()).empty());
  EXPECT_EQ(DescribeCompression(Variant(FindPreset("svd").models.unet, "mobilevd")),
            Names({"cross-attention to one token folded", "temporal multiscaling by 2, inner frame numbers",
                   "11 of 38 temporal blocks left",
                   "52 channel funnels in self-attention, 32 of 64 channels a head, merged"}));
  EXPECT_EQ(DescribeCompression(Apply(Tiny(), LowRank)),
            Names({"64 attention projections of rank 32 to 64"}));
}

}  // namespace
}  // namespace mvd
