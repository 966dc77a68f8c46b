#include "mvd/models/unet_layout.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "mvd/base/error.h"
#include "mvd/models/blocks.h"

namespace mvd {
namespace {

constexpr std::string_view kMixer = ".time_mixer.blend";
constexpr std::string_view kSelfAttention = ".attn1.attention";
constexpr std::string_view kFirstConv = "_res_block.conv1";

// Names and channels do not depend on the sizes of a call.
Graph SmallGraph(const SvdUnetConfig& config) { return BuildSvdUnet(config, 1, 1, 8, 8); }

// The blocks that are left, in full width.
SvdUnetConfig Wide(SvdUnetConfig config) {
  config.compression.funnels.clear();
  config.compression.low_rank.clear();
  return config;
}

std::string Without(const std::string& name, std::string_view end) {
  return name.substr(0, name.size() - end.size());
}

void CheckFactor(double factor) {
  if (!(factor > 0 && factor <= 1))
    ThrowUsage("fun-factor is ", factor, ", expected a number above 0 and at most 1");
}

}  // namespace

std::vector<std::string> TemporalBlocks(const SvdUnetConfig& config) {
  SvdUnetConfig original = config;
  original.compression = {};
  const Graph graph = SmallGraph(original);
  std::vector<std::string> blocks;
  for (ValueId id : graph.All(Op::kBlend)) {
    const std::string& name = graph.node(id).name;
    // With several layers a transformer mixes more than once.
    if (name.ends_with(kMixer)) blocks.push_back(Without(name, kMixer));
  }
  return blocks;
}

std::vector<std::string> KeptTemporalBlocks(const SvdUnetConfig& config) {
  std::vector<std::string> blocks = TemporalBlocks(config);
  if (const auto& kept = config.compression.kept_temporal_blocks) {
    const std::set<std::string> names(kept->begin(), kept->end());
    std::erase_if(blocks, [&](const std::string& block) { return !names.contains(block); });
  }
  return blocks;
}

std::vector<FunnelPair> FunnelPairs(const SvdUnetConfig& config) {
  const Graph graph = SmallGraph(Wide(config));
  std::vector<FunnelPair> pairs;
  using Kind = FunnelPair::Kind;
  for (const Node& node : graph.nodes) {
    if (node.op == Op::kAttention && node.name.ends_with(kSelfAttention)) {
      const std::string attention = Without(node.name, ".attention");
      const int64_t heads = node.as<AttentionAttrs>().heads, head = node.shape[-1] / heads;
      pairs.push_back(
          {attention + ".qk", Kind::kQueryKey, attention + ".to_q", attention + ".to_k", heads, head});
      pairs.push_back(
          {attention + ".vo", Kind::kValueOutput, attention + ".to_v", attention + ".to_out.0", heads, head});
    } else if (node.name.ends_with(kFirstConv)) {
      const std::string block = Without(node.name, ".conv1");
      pairs.push_back(
          {block + ".conv", Kind::kConvolutions, block + ".conv1", block + ".conv2", 1, node.shape[-1]});
    }
  }
  return pairs;
}

std::vector<ProjectionLayer> AttentionProjections(const SvdUnetConfig& config) {
  const Graph graph = SmallGraph(Wide(config));
  std::vector<ProjectionLayer> layers;
  for (const Node& node : graph.nodes) {
    if (node.op != Op::kLinear || node.name.find(".attn") == std::string::npos) continue;
    const Shape& weight = graph.shape(node.inputs[1]);
    layers.push_back({node.name, weight[1], weight[0]});
  }
  return layers;
}

int64_t FunnelWidth(int64_t channels, double factor) {
  CheckFactor(factor);
  return std::max<int64_t>(1, int64_t(std::floor(double(channels) * factor + 0.5)));
}

int64_t ConvFunnelWidth(int64_t channels, double factor) {
  CheckFactor(factor);
  if (channels < kNormGroups || channels % kNormGroups != 0)
    ThrowBadInput("", "a pair of convolutions has ", channels,
                  " channels between them, expected a multiple of ", kNormGroups);
  const int64_t groups = int64_t(std::floor(double(channels) / kNormGroups * factor + 0.5));
  return kNormGroups * std::max<int64_t>(1, groups);
}

namespace {

void CheckSampling(const ConfigChecker& check, const UnetSampling& s) {
  const auto range = [&](const char* key, auto value, double least, double most) {
    if (double(value) >= 0 && !(double(value) >= least && double(value) <= most))
      check.Fail(key, "is ", value, ", expected ", least, " to ", most);
  };
  range("sampling.steps", s.steps, 1, 1000);
  range("sampling.sigma_max", s.sigma_max, 1e-3, 1e6);
  range("sampling.min_guidance_scale", s.min_guidance_scale, 0, 100);
  range("sampling.max_guidance_scale", s.max_guidance_scale, 0, 100);
  range("sampling.fps", s.fps, 1, 1000);
  range("sampling.motion_bucket_id", s.motion_bucket_id, 0, 255);
  range("sampling.height", s.height, 8, 8192);
  range("sampling.width", s.width, 8, 8192);
  if (!s.decoder.empty()) check.OneOf("sampling.decoder", s.decoder, {"full", "tiny"});
  if (!s.frame_noise.empty())
    check.OneOf("sampling.frame_noise", s.frame_noise, {"independent", std::string(kSharedNoise)});
}

void CheckKept(const ConfigChecker& check, const SvdUnetConfig& config) {
  constexpr const char* kKey = "kept_temporal_blocks";
  const std::vector<std::string> all = TemporalBlocks(config);
  std::set<std::string> seen;
  for (const std::string& name : *config.compression.kept_temporal_blocks) {
    if (std::find(all.begin(), all.end(), name) == all.end())
      check.Fail(kKey, "has ", ShowText(name), ", which is no temporal block; expected names such as '",
                 all.front(), "'");
    if (!seen.insert(name).second) check.Fail(kKey, "has '", name, "' twice");
  }
}

void CheckFunnels(const ConfigChecker& check, const SvdUnetConfig& config) {
  const std::vector<FunnelPair> pairs = FunnelPairs(config);
  for (const auto& [name, width] : config.compression.funnels) {
    const auto pair =
        std::find_if(pairs.begin(), pairs.end(), [&name = name](const auto& p) { return p.name == name; });
    if (pair == pairs.end())
      check.Fail("funnels", "has ", ShowText(name), ", which is no pair of layers that are left; expected '",
                 pairs.front().name, "' or the like");
    if (width < 1 || width > pair->channels)
      check.Fail("funnels", "gives '", name, "' ", width, " channels, expected 1 to ", pair->channels);
    if (pair->kind == FunnelPair::Kind::kConvolutions && width % kNormGroups != 0)
      check.Fail("funnels", "gives '", name, "' ", width, " channels, expected a multiple of ", kNormGroups,
                 " (groups of the norms)");
    for (const std::string& layer : {pair->first, pair->second})
      if (config.compression.low_rank.contains(layer))
        check.Fail("low_rank", "has '", layer, "', which has a funnel already");
  }
}

void CheckLowRank(const ConfigChecker& check, const SvdUnetConfig& config) {
  const std::vector<ProjectionLayer> layers = AttentionProjections(config);
  for (const auto& [name, rank] : config.compression.low_rank) {
    const auto layer =
        std::find_if(layers.begin(), layers.end(), [&name = name](const auto& l) { return l.name == name; });
    if (layer == layers.end())
      check.Fail("low_rank", "has ", ShowText(name), ", which is no attention projection that is left");
    const int64_t most = std::min(layer->in, layer->out);
    if (rank < 1 || rank > most)
      check.Fail("low_rank", "gives '", name, "' rank ", rank, ", expected 1 to ", most);
  }
}

}  // namespace

void CheckCompression(const ConfigChecker& check, const SvdUnetConfig& config) {
  CheckSampling(check, config.sampling);
  const UnetCompression& c = config.compression;
  if (c == UnetCompression{}) return;
  constexpr int64_t kMostScale = 8;
  check.Range("temporal_multiscale", c.temporal_multiscale, 1, kMostScale);
  check.Range("spatial_multiscale", c.spatial_multiscale, 1, kMostScale);
  check.OneOf("multiscale_frame_index", c.multiscale_frame_index, {kInnerFrames, kOuterFrames});
  check.OneOf("spatial_multiscale_restore", c.spatial_multiscale_restore,
              {kRestoreBeforeUpBlock, kRestoreBeforeUpsampler});
  if (c.temporal_multiscale * c.spatial_multiscale > 1 && config.block_out_channels.size() < 2)
    check.Fail("block_out_channels", "has one level, expected two or more for multiscaling");
  if (c.kept_temporal_blocks) CheckKept(check, config);
  if (!c.funnels.empty()) CheckFunnels(check, config);
  if (!c.low_rank.empty()) CheckLowRank(check, config);
}

}  // namespace mvd
