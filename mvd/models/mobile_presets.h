// The UNets of Mobile Video Diffusion's tables (arXiv 2412.07583) as changes of SVD's.
#pragma once

#include <string_view>
#include <vector>

#include "mvd/models/svd_unet.h"

namespace mvd {

// `count` temporal blocks that survive pruning. The paper says how many, not which. Its FLOPs fit if mostly
// fine transformers survive: those of the first `transformer_levels` levels, finest first, then the residual
// blocks of level 0, then the rest. Two levels fit the learned pruning, three the L1 pruning.
// Error(kUsage) for a count below 0 or beyond what the network has.
std::vector<std::string> SurvivingTemporalBlocks(const SvdUnetConfig& config, int64_t count,
                                                 int64_t transformer_levels = 2);

// Adds funnels of one factor between all remaining pairs of a kind.
enum class FunnelPlace { kAttention, kConvolutions };
void AddFunnels(SvdUnetConfig& config, FunnelPlace place, double factor);

// Makes every projection of self- and cross-attention two layers of rank factor * width (Table 5), but of no
// higher rank than the layer.
void AddLowRank(SvdUnetConfig& config, double factor);

struct MobileVariant {
  std::string_view name, description;
  bool high_resolution = false;  // 1024x576, else 512x256 pixels
  bool one_step = false;         // adversarially finetuned: one evaluation, no guidance, TAESD decodes
  // Changes the config of a network of SVD's kind, of any size. If temporal blocks are already pruned, the
  // remaining ones stay.
  void (*change)(SvdUnetConfig&);
};
const std::vector<MobileVariant>& MobileVariants();

// Sets the sampling options that the variant determines.
void ApplySampling(const MobileVariant& variant, UnetSampling& sampling);

}  // namespace mvd
