// The cost as plain text, columns aligned.
#include <algorithm>
#include <cstdio>

#include "mvd/cost/cost.h"

namespace mvd {
namespace {

std::string Row(std::string_view name, const NodeCost& cost, int64_t all_flops) {
  const double share = all_flops > 0 ? 100.0 * double(cost.flops) / double(all_flops) : 0.0;
  char line[192];
  std::snprintf(line, sizeof(line), "  %-26.*s %14.3f %6.1f %14.3f %12.1f %14.1f\n", int(name.size()),
                name.data(), double(cost.flops) * 1e-9, share, double(cost.parameters) * 1e-6,
                double(cost.weight_bytes) * 0x1p-20, double(cost.activation_bytes) * 0x1p-20);
  return line;
}

bool IsFree(const CostGroup& group) {
  return group.cost.flops == 0 && group.cost.parameters == 0 && group.cost.activation_bytes == 0 &&
         group.cost.weight_bytes == 0;
}

std::string Section(std::string_view title, std::vector<CostGroup> groups, int64_t all_flops, bool sorted) {
  if (sorted) {
    std::stable_sort(groups.begin(), groups.end(),
                     [](const CostGroup& a, const CostGroup& b) { return a.cost.flops > b.cost.flops; });
  }
  char head[192];
  std::snprintf(head, sizeof(head), "%-28.*s %14s %6s %14s %12s %14s\n", int(title.size()), title.data(),
                "GFLOP", "%", "Mparameters", "weights MiB", "written MiB");
  std::string text = head;
  for (const CostGroup& group : groups) {
    if (!IsFree(group)) text += Row(group.name, group.cost, all_flops);
  }
  return text;
}

}  // namespace

std::string FormatCostTable(const GraphCost& cost) {
  char line[160];
  std::string text;
  const auto total = [&](const char* name, double value, const char* unit) {
    std::snprintf(line, sizeof(line), "%-28s %14.3f %s\n", name, value, unit);
    text += line;
  };
  total("every call", double(cost.StepFlops()) * 1e-9, "GFLOP");
  total("once a clip", double(cost.ClipFlops()) * 1e-9, "GFLOP");
  total("once a model", double(cost.LoadFlops()) * 1e-9, "GFLOP");
  total("parameters", double(cost.total.parameters) * 1e-6, "million");
  total("weights", double(cost.total.weight_bytes) * 0x1p-20, "MiB");
  total("activations, peak", double(cost.peak_activation_bytes) * 0x1p-20, "MiB");
  const int64_t all = cost.total.flops;
  text += "\n" + Section("component", cost.by_component, all, false);
  text += "\n" + Section("level", cost.by_level, all, false);
  text += "\n" + Section("kind", cost.by_kind, all, true);
  text += "\n" + Section("op", cost.by_op, all, true);
  text += "\n" + Section("phase", cost.by_phase, all, false);
  return text;
}

}  // namespace mvd
