// cost: FLOPs, parameters and memory of every component, counted from the graph; no weights are read.
#include "mvd/cost/cost.h"

#include <cstdio>

#include "mvd/cli/command.h"
#include "mvd/cli/flags.h"
#include "mvd/cli/option_table.h"
#include "mvd/cli/output.h"

namespace mvd::cli {
namespace {

struct CostFlags {
  ModelFlags model;
  SizeFlags size;
  std::string component, dtype = "bf16";
};

struct Row {
  std::string component;
  GraphCost original;   // the network as its authors define it
  GraphCost folded;     // cross-attention to one token folded, evaluated as often as the paper counts it
  GraphCost rewritten;  // after the passes: what runs
};

Row Count(const ComponentInfo& info, const ModelConfigs& configs, const CallSizes& sizes, DType dtype) {
  Graph graph = info.build(configs, sizes);
  Row row{std::string(info.name), CountCost(graph, dtype), {}, {}};
  Graph folded = graph;
  RunPasses(folded, {.skip = {}, .only = {"fold_single_token_attention"}, .observer = {}});
  row.folded = CountCost(folded, dtype);
  RunPasses(graph);
  row.rewritten = CountCost(graph, dtype);
  return row;
}

nlohmann::json ToJson(const Row& row) {
  return {{"flops", row.original.total.flops},
          {"parameters", row.original.total.parameters},
          {"weight_bytes", row.original.total.weight_bytes},
          {"peak_activation_bytes", row.rewritten.peak_activation_bytes},
          {"flops_folded_cross_attention", row.folded.total.flops},
          {"after_passes",
           {{"flops_per_call", row.rewritten.StepFlops()},
            {"flops_per_clip", row.rewritten.ClipFlops()},
            {"flops_at_load", row.rewritten.LoadFlops()},
            {"parameters", row.rewritten.total.parameters},
            {"weight_bytes", row.rewritten.total.weight_bytes}}}};
}

Exit Cost(Session& session, const CostFlags& o) {
  const auto dtype = ParseDType(o.dtype);
  if (!dtype || SizeOf(*dtype) > 4) ThrowUsage("--dtype ", o.dtype, ": expected f32, bf16 or f16");
  ClipDefaults defaults;
  const ModelConfigs configs = o.model.Configs(&defaults);
  const CallSizes sizes = o.size.Resolve(defaults);
  nlohmann::json components = nlohmann::json::object();
  for (const ComponentInfo& info : Components()) {
    if (!o.component.empty() && FindComponent(o.component).name != info.name) continue;
    const Row row = Count(info, configs, sizes, *dtype);
    if (session.json) {
      components[row.component] = ToJson(row);
      continue;
    }
    if (!o.component.empty()) std::printf("%s\n", FormatCostTable(row.original).c_str());
    std::printf(
        "%-14s %9.3f TFLOP (%.3f after passes, %.4f of it once a clip)  %7.1f M parameters  %8s weights  %8s "
        "activations\n",
        row.component.c_str(), double(row.original.total.flops) / 1e12,
        double(row.rewritten.CallFlops()) / 1e12, double(row.rewritten.ClipFlops()) / 1e12,
        double(row.original.total.parameters) / 1e6,
        FormatBytes(double(row.original.total.weight_bytes)).c_str(),
        FormatBytes(double(row.rewritten.peak_activation_bytes)).c_str());
  }
  if (session.json) {
    const nlohmann::json object = {{"preset", o.model.preset.empty() ? o.model.model : o.model.preset},
                                   {"height", sizes.height},
                                   {"width", sizes.width},
                                   {"frames", sizes.frames},
                                   {"dtype", o.dtype},
                                   {"components", components}};
    PrintJson(object);
  }
  return Exit::kOk;
}

}  // namespace

Runner DeclareCost(CLI::App& app) {
  auto o = std::make_shared<CostFlags>();
  o->model.Declare(app);
  o->size.Declare(app);
  AddOption(app, WithHelp(Table().component, "Only this one, with its parts by block, level, kind and op"),
            o->component);
  AddOption(app, WithHelp(Table().weight_dtype, "Element type the bytes are counted for"), o->dtype);
  return [o](Session& session) { return Cost(session, *o); };
}

}  // namespace mvd::cli
