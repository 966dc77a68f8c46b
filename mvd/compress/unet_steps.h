// The steps of Mobile Video Diffusion (arXiv 2412.07583) as changes of a UNet's config. unet_rewrite.h
// derives the new weights from the two configs.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "mvd/base/weight_source.h"
#include "mvd/models/mobile_presets.h"
#include "mvd/models/svd_unet.h"

namespace mvd {

struct CompressionSteps {
  bool fold_cross_attention = false;
  int64_t temporal_multiscale = 1, spatial_multiscale = 1;  // 1: no such step
  std::string multiscale_frame_index{kInnerFrames};
  std::string spatial_multiscale_restore{kRestoreBeforeUpBlock};
  std::optional<std::vector<std::string>> keep;  // temporal blocks
  std::map<FunnelPlace, double> funnel_factors;  // for all remaining pairs of the place
  std::map<std::string, int64_t> funnel_widths;  // of single pairs, instead of their place's factor
  bool merge = false;                            // all funnels, existing and new ones
  std::optional<double> low_rank;                // of every attention projection, as a share of its width
};

// The config after the steps. `file` is the source's config, for messages. Error(kBadInput) naming file and
// key if a step was done before or the network has no place for it; Error(kUsage) for a factor outside
// (0,1].
SvdUnetConfig ApplySteps(const SvdUnetConfig& source, const CompressionSteps& steps, const std::string& file);

// The config of a variant of the paper's tables in the source's sizes, with its sampling. The remaining
// temporal blocks are `keep` if given, else the source's if it is pruned to the variant's number, else the
// variant's own. Funnels are merged unless `merge` is false. Error(kBadInput) if the source is that variant
// already, or has a change that the variant does not have.
SvdUnetConfig ApplyVariant(const SvdUnetConfig& source, const MobileVariant& variant,
                           const std::optional<std::vector<std::string>>& keep, bool merge,
                           const std::string& file);
// Throws Error(kUsage) that lists the names.
const MobileVariant& FindVariant(std::string_view name);

// Throws Error(kBadInput) naming `file` and the key if `target`, a config of the same sizes, would undo
// something that was done to `source`.
void CheckReachable(const SvdUnetConfig& source, const SvdUnetConfig& target, const std::string& file);

// Importance of each block of KeptTemporalBlocks(config), in that order: q = 1 - sigmoid(mix_factor), the
// share of the temporal branch (arXiv 2412.07583, section 3.4).
std::vector<double> TemporalImportance(const SvdUnetConfig& config, WeightSource& weights);
// The `count` blocks of KeptTemporalBlocks(config) with the largest importance, the earlier of equals, in the
// order they run. `importance` has one number per block. Error(kUsage) for a count outside 1 to the number of
// blocks.
std::vector<std::string> MostImportantBlocks(const SvdUnetConfig& config,
                                             const std::vector<double>& importance, int64_t count);

}  // namespace mvd
