#include "mvd/compress/describe_compression.h"

#include <algorithm>
#include <set>

#include "mvd/base/check.h"
#include "mvd/models/mobile_presets.h"
#include "mvd/models/unet_layout.h"

namespace mvd {
namespace {

// "64 funnels in attention (32 of 64 channels)"
std::string DescribeFunnels(const SvdUnetConfig& config, FunnelPlace place) {
  int64_t count = 0;
  std::set<std::string> widths;
  for (const FunnelPair& pair : FunnelPairs(config)) {
    const bool convolutions = pair.kind == FunnelPair::Kind::kConvolutions;
    const auto funnel = config.compression.funnels.find(pair.name);
    if (funnel == config.compression.funnels.end() || convolutions != (place == FunnelPlace::kConvolutions))
      continue;
    ++count;
    widths.insert(StrCat(funnel->second, " of ", pair.channels));
  }
  if (count == 0) return "";
  std::string list;
  for (const std::string& width : widths) list += (list.empty() ? "" : ", ") + width;
  return StrCat(count, " channel funnels in ",
                place == FunnelPlace::kAttention ? "self-attention" : "residual blocks", ", ", list,
                place == FunnelPlace::kAttention ? " channels a head, " : " channels, ",
                config.compression.funnels_merged ? "merged" : "beside their layers");
}

}  // namespace

std::vector<std::string> DescribeCompression(const SvdUnetConfig& config) {
  const UnetCompression& c = config.compression;
  std::vector<std::string> lines;
  if (c.single_token_cross_attention) lines.push_back("cross-attention to one token folded");
  if (c.temporal_multiscale > 1)
    lines.push_back(StrCat("temporal multiscaling by ", c.temporal_multiscale, ", ", c.multiscale_frame_index,
                           " frame numbers"));
  if (c.spatial_multiscale > 1)
    lines.push_back(StrCat("spatial multiscaling by ", c.spatial_multiscale, ", restored ",
                           c.spatial_multiscale_restore));
  if (c.kept_temporal_blocks)
    lines.push_back(StrCat(c.kept_temporal_blocks->size(), " of ", TemporalBlocks(config).size(),
                           " temporal blocks left"));
  for (const FunnelPlace place : {FunnelPlace::kAttention, FunnelPlace::kConvolutions})
    if (const std::string line = DescribeFunnels(config, place); !line.empty()) lines.push_back(line);
  if (!c.low_rank.empty()) {
    int64_t least = INT64_MAX, most = 0;
    for (const auto& [name, rank] : c.low_rank) least = std::min(least, rank), most = std::max(most, rank);
    lines.push_back(StrCat(c.low_rank.size(), " attention projections of rank ", least, " to ", most));
  }
  return lines;
}

}  // namespace mvd
