// The UNets of Mobile Video Diffusion's tables (arXiv 2412.07583) as changes of SVD's.
#pragma once

#include <string_view>
#include <vector>

#include "mvd/models/svd_unet.h"

namespace mvd {

// `count` temporal blocks that survive pruning. The paper says how many, not which; its FLOPs fit where
// mostly fine transformers do: those of the first `transformer_levels` levels, finest first, then the
// residual blocks of level 0, then the rest. Two levels fit what was learned, three what L1 left.
// Error(kUsage) for a count below 0 or beyond what the network has.
std::vector<std::string> SurvivingTemporalBlocks(const SvdUnetConfig& config, int64_t count,
                                                 int64_t transformer_levels = 2);

// Funnels of one factor between all pairs of a kind that are left.
enum class FunnelPlace { kAttention, kConvolutions };
void AddFunnels(SvdUnetConfig& config, FunnelPlace place, double factor);

// Every attention projection, of self- and cross-attention, as two layers of rank factor * width (Table 5),
// at most what the layer has.
void AddLowRank(SvdUnetConfig& config, double factor);

struct MobileVariant {
  std::string_view name, description;
  bool high_resolution = false;  // 1024x576, else 512x256 pixels
  bool one_step = false;         // adversarially finetuned: one evaluation, no guidance, TAESD decodes
  // Of a network of SVD's kind and any size. Temporal blocks that are pruned already stay the ones that are
  // left.
  void (*change)(SvdUnetConfig&);
};
const std::vector<MobileVariant>& MobileVariants();

// How a clip is made with the variant, as far as the variant says it.
void ApplySampling(const MobileVariant& variant, UnetSampling& sampling);

}  // namespace mvd
