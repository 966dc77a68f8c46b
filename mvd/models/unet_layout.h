// The parts of a UNet that Mobile Video Diffusion (arXiv 2412.07583) prunes and narrows, by name. They are
// read from the graph, so that only the builder walks over the config.
#pragma once

#include <string>
#include <vector>

#include "mvd/models/svd_unet.h"

namespace mvd {

// The prunable temporal blocks in the order they run, pruned ones included: the modules with a time_mixer,
// "down_blocks.0.resnets.0", "down_blocks.0.attentions.0", ... SVD has 38, of which 22 are residual
// blocks.
std::vector<std::string> TemporalBlocks(const SvdUnetConfig& config);
// Those that the config keeps, in the same order; the order of the input "temporal_gates".
std::vector<std::string> KeptTemporalBlocks(const SvdUnetConfig& config);

// Two layers between which a funnel may stand.
struct FunnelPair {
  enum class Kind { kQueryKey, kValueOutput, kConvolutions };
  std::string name;  // "...transformer_blocks.0.attn1.qk", "....attn1.vo", "...spatial_res_block.conv"
  Kind kind = Kind::kQueryKey;
  std::string first, second;        // the layers: "....attn1.to_q", "....attn1.to_k"
  int64_t heads = 1, channels = 0;  // between the layers, of one head
};
// Every pair in the remaining blocks: both self-attentions of the transformers, and the convolutions of both
// kinds of residual blocks.
std::vector<FunnelPair> FunnelPairs(const SvdUnetConfig& config);

// A linear layer that may be factorised: every remaining projection of self- and cross-attention.
struct ProjectionLayer {
  std::string name;  // "...attn2.to_v"
  int64_t in = 0, out = 0;
};
std::vector<ProjectionLayer> AttentionProjections(const SvdUnetConfig& config);

// max(1, round(channels * factor)), halves up: the width of one head, or the rank of a low-rank layer.
// `factor` in (0,1], else Error(kUsage).
int64_t FunnelWidth(int64_t channels, double factor);
// The nearest multiple of 32, halves up, and at least 32, because these channels get a GroupNorm of 32
// groups. `channels` must be a multiple of 32 too, else Error(kBadInput).
int64_t ConvFunnelWidth(int64_t channels, double factor);

// Checks the config's compression against the network that it describes.
void CheckCompression(const ConfigChecker& check, const SvdUnetConfig& config);

}  // namespace mvd
