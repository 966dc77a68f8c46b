// explain: the graph as text, each node with its shape, cost and place in memory, and what the passes did.
#include <cstdio>

#include "mvd/cli/command.h"
#include "mvd/cli/flags.h"
#include "mvd/cli/option_table.h"
#include "mvd/cli/output.h"
#include "mvd/cost/cost.h"
#include "mvd/ir/arena.h"
#include "mvd/ir/text.h"

namespace mvd::cli {
namespace {

struct ExplainFlags {
  ModelFlags model;
  SizeFlags size;
  std::string component = "unet", dtype = "bf16";
  std::vector<std::string> skip;
  bool text = false, summary = false;
};

void PrintPasses(const PassReport& report) {
  std::printf("# passes, in order\n");
  for (const Pass& pass : kPasses) {
    const PassReport::Entry* ran = nullptr;
    for (const auto& entry : report.entries) {
      if (entry.name == pass.name) ran = &entry;
    }
    if (!ran) {
      std::printf("#   %-28s skipped\n", std::string(pass.name).c_str());
    } else {
      std::printf("#   %-28s %5lld -> %5lld nodes  %6.1f ms  %s%s\n", std::string(pass.name).c_str(),
                  static_cast<long long>(ran->nodes_before), static_cast<long long>(ran->nodes_after),
                  ran->seconds * 1e3, std::string(pass.reason).c_str(),
                  ran->changed ? "" : " (nothing to do)");
    }
  }
}

void PrintPlan(const Graph& graph, DType dtype) {
  const MemoryLayout layout = PlanArena(graph, [&](ValueId id) {
    const Node& node = graph.node(id);
    return node.phase == Phase::kLoad ? 0 : node.shape.elements() * int64_t(SizeOf(dtype));
  });
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const int64_t flops = NodeFlops(graph, ValueId(i));
    std::string place = "-";
    const ValueId storage = layout.storage[i];
    if (layout.offset[size_t(storage)] != kNotInArena) {
      const Lifetime& life = layout.lifetime[size_t(storage)];
      place = "@" + std::to_string(layout.offset[size_t(storage)]) + " steps " + std::to_string(life.first) +
              "-" + std::to_string(life.last);
    }
    std::printf("%5zu  %10.3f GFLOP  %-28s %s\n", i, double(flops) / 1e9, place.c_str(),
                PrintNode(graph, ValueId(i)).c_str());
  }
  for (const Output& output : graph.outputs)
    std::printf("output %s = %s\n", output.name.c_str(), graph.node(output.value).name.c_str());
  std::printf("# arena %s, at least %s alive at once\n", FormatBytes(double(layout.arena_bytes)).c_str(),
              FormatBytes(double(layout.lower_bound)).c_str());
}

Exit Explain(Session& session, const ExplainFlags& o) {
  const auto dtype = ParseDType(o.dtype);
  if (!dtype || SizeOf(*dtype) > 4) ThrowUsage("--dtype ", o.dtype, ": expected f32, bf16 or f16");
  ClipDefaults defaults;
  const ModelConfigs configs = o.model.Configs(&defaults);
  Graph graph = FindComponent(o.component).build(configs, o.size.Resolve(defaults));
  PassOptions options;
  options.skip = o.skip;
  const PassReport report = RunPasses(graph, options);
  const GraphCost cost = CountCost(graph, *dtype);
  if (session.json) {
    nlohmann::json passes = nlohmann::json::array();
    for (const auto& e : report.entries) {
      passes.push_back({{"name", e.name},
                        {"changed", e.changed},
                        {"seconds", e.seconds},
                        {"nodes_before", e.nodes_before},
                        {"nodes_after", e.nodes_after}});
    }
    const nlohmann::json object = {{"component", o.component},
                                   {"nodes", graph.nodes.size()},
                                   {"flops_per_call", cost.StepFlops()},
                                   {"flops_per_clip", cost.ClipFlops()},
                                   {"peak_activation_bytes", cost.peak_activation_bytes},
                                   {"passes", passes},
                                   {"text", Print(graph)}};
    PrintJson(object);
    return Exit::kOk;
  }
  if (o.text) {
    std::printf("%s", Print(graph).c_str());
    return Exit::kOk;
  }
  PrintPasses(report);
  if (!o.summary) PrintPlan(graph, *dtype);
  std::printf("%s", FormatCostTable(cost).c_str());
  return Exit::kOk;
}

}  // namespace

Runner DeclareExplain(CLI::App& app) {
  auto o = std::make_shared<ExplainFlags>();
  o->model.Declare(app);
  o->size.Declare(app);
  AddOption(app, Table().component, o->component);
  AddOption(app, WithHelp(Table().weight_dtype, "Element type the plan is for"), o->dtype);
  AddOption(app, InGroup(Table().skip, "Options"), o->skip);
  AddOption(app, {.flags = "--text", .help = "Only the graph's text form, which parses back"}, o->text);
  AddOption(app, {.flags = "--summary", .help = "Passes and sums without the nodes"}, o->summary);
  return [o](Session& session) { return Explain(session, *o); };
}

}  // namespace mvd::cli
