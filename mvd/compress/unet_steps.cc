#include "mvd/compress/unet_steps.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "mvd/models/unet_layout.h"

namespace mvd {
namespace {

using Names = std::vector<std::string>;

bool Contains(const Names& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

void Multiscale(const ConfigChecker& check, const char* key, int64_t factor, int64_t* field) {
  if (factor == 1) return;
  if (*field != 1) check.Fail(key, "is ", *field, " already, expected a network without it");
  *field = factor;
}

// Entries of blocks that are not left any more would be refused as unknown names.
void DropWhatIsGone(UnetCompression& c, const SvdUnetConfig& config) {
  std::set<std::string> pairs, layers;
  for (const FunnelPair& pair : FunnelPairs(config)) pairs.insert(pair.name);
  for (const ProjectionLayer& layer : AttentionProjections(config)) layers.insert(layer.name);
  std::erase_if(c.funnels, [&](const auto& f) { return !pairs.contains(f.first); });
  std::erase_if(c.low_rank, [&](const auto& l) { return !layers.contains(l.first); });
  if (c.funnels.empty()) c.funnels_merged = false;
}

// The blocks that `keep` names, in the order they run.
Names Kept(const ConfigChecker& check, const SvdUnetConfig& source, const Names& keep) {
  constexpr const char* kKey = "kept_temporal_blocks";
  const Names all = TemporalBlocks(source);
  Names left = KeptTemporalBlocks(source);
  for (const std::string& name : keep) {
    if (!Contains(all, name))
      check.Fail(kKey, "cannot take ", ShowText(name), ", which is no temporal block of this network; ",
                 "expected names such as '", all.front(), "'");
    if (!Contains(left, name))
      check.Fail(kKey, "cannot take '", name, "', which is pruned already; ", left.size(), " of ", all.size(),
                 " are left");
    if (std::count(keep.begin(), keep.end(), name) > 1) check.Fail(kKey, "is given '", name, "' twice");
  }
  std::erase_if(left, [&](const std::string& name) { return !Contains(keep, name); });
  return left;
}

void AddNewFunnels(const ConfigChecker& check, const CompressionSteps& steps, SvdUnetConfig& config) {
  SvdUnetConfig added = config;
  added.compression.funnels.clear();
  for (const auto& [place, factor] : steps.funnel_factors) AddFunnels(added, place, factor);
  for (const auto& [name, width] : steps.funnel_widths) added.compression.funnels[name] = width;
  UnetCompression& c = config.compression;
  for (const auto& [name, width] : added.compression.funnels) {
    const auto [found, is_new] = c.funnels.emplace(name, width);
    if (!is_new)
      check.Fail("funnels", "has '", name, "' with ", found->second, " channels already",
                 c.funnels_merged ? ", merged" : "", ", expected a pair of layers without a funnel");
  }
  if (c.funnels_merged && !steps.merge && !added.compression.funnels.empty())
    check.Fail("funnels_merged", "is true, expected false, or new funnels merged too");
}

}  // namespace

SvdUnetConfig ApplySteps(const SvdUnetConfig& source, const CompressionSteps& steps,
                         const std::string& file) {
  const ConfigChecker check(file);
  SvdUnetConfig target = source;
  UnetCompression& c = target.compression;
  Multiscale(check, "temporal_multiscale", steps.temporal_multiscale, &c.temporal_multiscale);
  Multiscale(check, "spatial_multiscale", steps.spatial_multiscale, &c.spatial_multiscale);
  if (steps.temporal_multiscale > 1) c.multiscale_frame_index = steps.multiscale_frame_index;
  if (steps.spatial_multiscale > 1) c.spatial_multiscale_restore = steps.spatial_multiscale_restore;
  CheckConfig(check, target);  // of the factors, before a graph is built with them
  if (steps.fold_cross_attention) {
    if (c.single_token_cross_attention)
      check.Fail("single_token_cross_attention", "is true already, expected false");
    c.single_token_cross_attention = true;
  }
  if (steps.keep) {
    if (c.kept_temporal_blocks && steps.keep->size() == c.kept_temporal_blocks->size())
      check.Fail("kept_temporal_blocks", "has ", steps.keep->size(),
                 " names already, expected more to prune");
    c.kept_temporal_blocks = Kept(check, source, *steps.keep);
  }
  DropWhatIsGone(c, target);
  if (steps.low_rank) {
    if (!c.low_rank.empty())
      check.Fail("low_rank", "has ", c.low_rank.size(), " layers already, expected none");
    AddLowRank(target, *steps.low_rank);
  }
  AddNewFunnels(check, steps, target);
  if (steps.merge) {
    if (c.funnels.empty()) check.Fail("funnels", "is empty, expected funnels to merge");
    if (c.funnels_merged && steps.funnel_factors.empty() && steps.funnel_widths.empty())
      check.Fail("funnels_merged", "is true already, expected false");
    c.funnels_merged = true;
  }
  CheckConfig(check, target);
  return target;
}

SvdUnetConfig ApplyVariant(const SvdUnetConfig& source, const MobileVariant& variant,
                           const std::optional<Names>& keep, bool merge, const std::string& file) {
  const ConfigChecker check(file);
  SvdUnetConfig plain = source;
  plain.compression = {};
  SvdUnetConfig own = plain;
  variant.change(own);
  SvdUnetConfig target = plain;
  auto& kept = target.compression.kept_temporal_blocks;
  const auto &had = source.compression.kept_temporal_blocks, &meant = own.compression.kept_temporal_blocks;
  if (keep)
    kept = Kept(check, source, *keep);
  else if (had && meant && had->size() == meant->size())
    kept = had;
  variant.change(target);
  if (!merge) target.compression.funnels_merged = false;
  // Options that the paper leaves open stay as they are.
  if (source.compression.temporal_multiscale > 1)
    target.compression.multiscale_frame_index = source.compression.multiscale_frame_index;
  if (source.compression.spatial_multiscale > 1)
    target.compression.spatial_multiscale_restore = source.compression.spatial_multiscale_restore;
  ApplySampling(variant, target.sampling);
  if (target == source) ThrowBadInput(file, "describes '", variant.name, "' already");
  CheckReachable(source, target, file);
  CheckConfig(check, target);
  return target;
}

const MobileVariant& FindVariant(std::string_view name) {
  std::string names;
  for (const MobileVariant& variant : MobileVariants()) {
    if (variant.name == name) return variant;
    names += (names.empty() ? "" : ", ") + std::string(variant.name);
  }
  ThrowUsage("--preset ", name, ": expected one of ", names);
}

void CheckReachable(const SvdUnetConfig& source, const SvdUnetConfig& target, const std::string& file) {
  const ConfigChecker check(file);
  const UnetCompression &from = source.compression, &to = target.compression;
  if (from.single_token_cross_attention && !to.single_token_cross_attention)
    check.Fail("single_token_cross_attention", "is true, expected false: what is folded stays so");
  const auto scale = [&](const char* key, int64_t is, int64_t wanted) {
    if (is != 1 && is != wanted) check.Fail(key, "is ", is, ", expected 1 or ", wanted);
  };
  scale("temporal_multiscale", from.temporal_multiscale, to.temporal_multiscale);
  scale("spatial_multiscale", from.spatial_multiscale, to.spatial_multiscale);
  const Names left = KeptTemporalBlocks(source), kept = KeptTemporalBlocks(target);
  for (const std::string& name : kept)
    if (!Contains(left, name))
      check.Fail("kept_temporal_blocks", "has ", left.size(), " names, '", name,
                 "' not among them; expected the ", kept.size(), " that are to be left");
  UnetCompression still = from;
  DropWhatIsGone(still, target);
  const auto same = [&](const char* key, const auto& had, const auto& has, const char* what) {
    for (const auto& [name, width] : had) {
      const auto found = has.find(name);
      if (found == has.end()) check.Fail(key, "has '", name, "', expected no ", what, " there");
      if (found->second != width) check.Fail(key, "gives '", name, "' ", width, ", expected ", found->second);
    }
  };
  same("funnels", still.funnels, to.funnels, "funnel");
  same("low_rank", still.low_rank, to.low_rank, "factors");
  if (still.funnels_merged && !to.funnels_merged)
    check.Fail("funnels_merged", "is true, expected false: what is merged stays so");
}

std::vector<double> TemporalImportance(const SvdUnetConfig& config, WeightSource& weights) {
  std::vector<double> importance;
  for (const std::string& block : KeptTemporalBlocks(config)) {
    const std::string name = block + ".time_mixer.mix_factor";
    const auto info = weights.Find(name);
    if (!info || info->shape.elements() != 1)
      ThrowBadInput(weights.Origin(), "tensor '", name, "' ",
                    info ? StrCat("has shape ", info->shape) : "is missing", ", expected one number");
    const float mix = ConvertTo(weights.Get(name), DType::kF32).f32()[0];
    weights.Release(name);
    if (!std::isfinite(mix))
      ThrowBadInput(weights.Origin(), "tensor '", name, "' is ", mix, ", expected a finite number");
    importance.push_back(1 / (1 + std::exp(double(mix))));
  }
  return importance;
}

Names MostImportantBlocks(const SvdUnetConfig& config, const std::vector<double>& importance, int64_t count) {
  Names blocks = KeptTemporalBlocks(config);
  MVD_CHECK_EQ(importance.size(), blocks.size());
  if (count < 1 || count > int64_t(blocks.size()))
    ThrowUsage(count, " temporal blocks are to be kept, expected 1 to ", blocks.size());
  std::vector<size_t> order(blocks.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return importance[a] > importance[b]; });
  order.resize(size_t(count));
  std::sort(order.begin(), order.end());
  Names kept;
  for (const size_t i : order) kept.push_back(blocks[i]);
  return kept;
}

}  // namespace mvd
