#include "mvd/models/mobile_presets.h"

#include <algorithm>

#include "mvd/base/error.h"
#include "mvd/models/unet_layout.h"

namespace mvd {
namespace {

// Where a block's features live: down_blocks.I at level I, up_blocks.I counted from the other end.
int64_t LevelOf(const std::string& block, int64_t levels) {
  const auto number = [&](size_t at) { return int64_t(block[at] - '0'); };
  if (block.starts_with("down_blocks.")) return number(12);
  if (block.starts_with("up_blocks.")) return levels - 1 - number(10);
  return levels - 1;
}

void Fold(SvdUnetConfig& c) { c.compression.single_token_cross_attention = true; }
void Temporal(SvdUnetConfig& c) {
  Fold(c);
  c.compression.temporal_multiscale = 2;
}
// The exact place of the spatial variant is open. Alone its FLOPs (4.35) are nearer with the last upsampler's
// convolution at full size (4.21) than behind it (4.05).
void Spatial(SvdUnetConfig& c) {
  Fold(c);
  c.compression.spatial_multiscale = 2;
  c.compression.spatial_multiscale_restore = kRestoreBeforeUpsampler;
}
// Together they end at one point, before the last up block, as the text has it.
void Both(SvdUnetConfig& c) {
  Temporal(c);
  c.compression.spatial_multiscale = 2;
}
template <int kCount, int kTransformerLevels = 2>
void Pruned(SvdUnetConfig& c) {
  Temporal(c);
  if (!c.compression.kept_temporal_blocks)
    c.compression.kept_temporal_blocks = SurvivingTemporalBlocks(c, kCount, kTransformerLevels);
}
void MobileVd(SvdUnetConfig& c) {
  Pruned<11>(c);
  AddFunnels(c, FunnelPlace::kAttention, 0.5);
  c.compression.funnels_merged = true;
}
void AttentionFunnels(SvdUnetConfig& c) {
  AddFunnels(c, FunnelPlace::kAttention, 0.5);
  c.compression.funnels_merged = true;
}
void ConvFunnels(SvdUnetConfig& c) {
  AddFunnels(c, FunnelPlace::kConvolutions, 0.5);
  c.compression.funnels_merged = true;
}
void LowRankHalf(SvdUnetConfig& c) { AddLowRank(c, 0.5); }
void LowRankQuarter(SvdUnetConfig& c) { AddLowRank(c, 0.25); }
void Nothing(SvdUnetConfig&) {}

}  // namespace

std::vector<std::string> SurvivingTemporalBlocks(const SvdUnetConfig& config, int64_t count,
                                                 int64_t transformer_levels) {
  std::vector<std::string> blocks = TemporalBlocks(config);
  if (count < 0 || count > int64_t(blocks.size()))
    ThrowUsage(count, " temporal blocks are to survive, the network has ", blocks.size());
  const int64_t levels = int64_t(config.block_out_channels.size());
  const auto rank = [&](const std::string& block) {
    const int64_t level = LevelOf(block, levels);
    const bool transformer = block.find(".attentions.") != block.npos;
    if (transformer && level < transformer_levels) return level;
    if (!transformer && level == 0) return levels;
    return (transformer ? 1 : 2) * levels + 1 + level;
  };
  std::vector<std::string> kept = blocks;
  std::stable_sort(kept.begin(), kept.end(), [&](const auto& a, const auto& b) { return rank(a) < rank(b); });
  kept.resize(size_t(count));
  std::erase_if(blocks, [&](const auto& b) { return std::find(kept.begin(), kept.end(), b) == kept.end(); });
  return blocks;  // in the order they run
}

void AddFunnels(SvdUnetConfig& config, FunnelPlace place, double factor) {
  for (const FunnelPair& pair : FunnelPairs(config)) {
    const bool convolutions = pair.kind == FunnelPair::Kind::kConvolutions;
    if (convolutions != (place == FunnelPlace::kConvolutions)) continue;
    config.compression.funnels[pair.name] =
        convolutions ? ConvFunnelWidth(pair.channels, factor) : FunnelWidth(pair.channels, factor);
  }
}

void AddLowRank(SvdUnetConfig& config, double factor) {
  for (const ProjectionLayer& layer : AttentionProjections(config))
    config.compression.low_rank[layer.name] =
        std::min(FunnelWidth(layer.out, factor), std::min(layer.in, layer.out));
}

const std::vector<MobileVariant>& MobileVariants() {
  static const std::vector<MobileVariant> variants = {
      {"svd-512", "SVD at 512x256 (tables 2, 5, 7)", false, false, Nothing},
      {"svd-512-folded", "+ cross-attention to one token folded (tables 2, 3)", false, false, Fold},
      {"svd-512-one-step", "+ one step (tables 2, 3)", false, true, Fold},
      {"mobilevd-temporal", "+ temporal multiscaling (tables 2, 3)", false, true, Temporal},
      {"mobilevd-pruned", "+ 11 of 38 temporal blocks left (tables 2, 6)", false, true, Pruned<11>},
      {"mobilevd", "Mobile Video Diffusion: + channel funnels of 0.5 (table 2)", false, true, MobileVd},
      {"mobilevd-hd", "the same at 1024x576 (table 7)", true, true, MobileVd},
      {"mobilevd-spatial", "spatial multiscaling instead of temporal (table 3)", false, true, Spatial},
      {"mobilevd-spatiotemporal", "both multiscalings (table 3)", false, true, Both},
      {"svd-512-funnels", "SVD with attention funnels of 0.5 (table 5)", false, true, AttentionFunnels},
      {"svd-512-conv-funnels", "SVD with convolution funnels of 0.5 (table 5)", false, true, ConvFunnels},
      {"svd-512-low-rank-50", "SVD with attention layers of half rank (table 5)", false, true, LowRankHalf},
      {"svd-512-low-rank-25", "SVD with attention layers of quarter rank (table 5)", false, true,
       LowRankQuarter},
      {"mobilevd-pruned-80", "8 of 38 temporal blocks left (table 6)", false, true, Pruned<8>},
      {"mobilevd-pruned-90", "4 of 38 temporal blocks left (table 6)", false, true, Pruned<4>},
      {"mobilevd-pruned-l1-70", "11 others of 38 temporal blocks left (table 6, L1)", false, true,
       Pruned<11, 3>},
      {"mobilevd-pruned-l1-53", "18 of 38 temporal blocks left (table 6, L1)", false, true, Pruned<18, 3>},
  };
  return variants;
}

void ApplySampling(const MobileVariant& variant, UnetSampling& sampling) {
  sampling.height = variant.high_resolution ? -1 : 256;
  sampling.width = variant.high_resolution ? -1 : 512;
  if (!variant.one_step) return;  // arXiv 2412.07583 and SF-V: from the largest noise at once
  sampling.steps = 1;
  sampling.sigma_max = 700;
  sampling.min_guidance_scale = sampling.max_guidance_scale = 1;
  sampling.decoder = "tiny";
}

}  // namespace mvd
