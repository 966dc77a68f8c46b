#include "mvd/engine/weight_doubts.h"

#include <algorithm>
#include <array>
#include <set>

#include "mvd/base/check.h"

namespace mvd {
namespace {

// Ends of names that say nothing: buffers that are counted anew wherever the network is built.
constexpr std::array<std::string_view, 2> kHarmless = {
    ".position_ids",        // transformers before 4.31 wrote it
    ".num_batches_tracked"  // a norm's count of training steps
};

constexpr size_t kListed = 5;

bool IsHarmless(std::string_view name) {
  return std::ranges::any_of(kHarmless, [&](std::string_view ending) { return name.ends_with(ending); });
}

}  // namespace

std::vector<std::string> UnusedTensors(const FolderWeights& weights,
                                       std::span<const ComponentInfo* const> networks,
                                       const ModelConfigs& configs) {
  std::set<std::string> taken;
  for (const ComponentInfo* info : networks) {
    const Graph graph = info->build(configs, kSmallestCall);
    for (ValueId id : graph.All(Op::kWeight)) taken.insert(graph.node(id).name);
  }
  std::vector<std::string> unused;
  for (const std::string& name : weights.Names()) {
    if (!taken.contains(name) && !IsHarmless(name)) unused.push_back(name);
  }
  return unused;
}

std::vector<std::string> DoubtUnused(const std::string& origin, const std::vector<std::string>& unused) {
  if (unused.empty()) return {};
  std::string list;
  for (size_t i = 0; i < std::min(unused.size(), kListed); ++i)
    list += (i ? ", '" : "'") + Printable(unused[i]) + "'";
  if (unused.size() > kListed) list += StrCat(" and ", unused.size() - kListed, " more");
  const bool one = unused.size() == 1;
  return {StrCat(origin, ": ", unused.size(),
                 one ? " tensor that no network takes: " : " tensors that no network takes: ", list)};
}

std::vector<std::string> WeightDoubts(const FolderWeights& weights,
                                      std::span<const ComponentInfo* const> networks,
                                      const ModelConfigs& configs) {
  std::vector<std::string> doubts = DoubtUnused(weights.Origin(), UnusedTensors(weights, networks, configs));
  if (weights.rivals().empty()) return doubts;
  std::string others;
  for (size_t i = 1; i < weights.rivals().size(); ++i) others += (i > 1 ? "', '" : "") + weights.rivals()[i];
  doubts.push_back(StrCat(weights.Origin(), ": '", weights.rivals()[0], "' is read and not '", others,
                          "', which lies beside it; remove the one that is out of date"));
  return doubts;
}

}  // namespace mvd
