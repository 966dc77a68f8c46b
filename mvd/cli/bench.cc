// bench: one component of a preset (random weights in memory) or of a model folder, timed.
#include <cstdio>
#include <vector>

#include "mvd/cli/command.h"
#include "mvd/cli/flags.h"
#include "mvd/cli/option_table.h"
#include "mvd/cli/output.h"
#include "mvd/cli/terminal.h"
#include "mvd/cli/timing.h"
#include "mvd/cost/cost.h"

namespace mvd::cli {
namespace {

struct BenchFlags {
  ExecFlags exec;
  ModelFlags model;
  SizeFlags size;
  std::string component = "unet";
  RepetitionFlags repetitions;
  bool nodes = false;
};

// Seconds a node kind takes in one call, by op.
void PrintNodes(Network& network, std::span<const TensorView> inputs) {
  std::map<std::string, double> seconds;
  network.executor().SetObserver(
      [&](const NodeRun& run) { seconds[std::string(Name(run.node.op))] += run.seconds; });
  network.Run(inputs);
  network.executor().SetObserver({});
  for (const auto& [op, s] : seconds) std::fprintf(stderr, "%-16s %9.1f ms\n", op.c_str(), s * 1e3);
}

Exit Bench(Session& session, const BenchFlags& o) {
  const NetworkOptions options = o.exec.Resolve(session.cancel);
  const Model model = o.model.Open(options);
  const ComponentInfo& info = FindComponent(o.component);
  StatusLine status(session.quiet);
  const Graph original = info.build(model.configs(), o.size.Resolve(model.defaults()));
  Network network(original, options);
  network.Load(*model.Weights(info.name), status.AsProgress());
  const std::vector<Tensor> inputs = RandomInputs(network.graph());
  const std::vector<TensorView> views(inputs.begin(), inputs.end());
  const Timing timing = TimeCalls(network, views, o.repetitions, 1, status);
  const int64_t peak = PeakResidentBytes();
  if (o.nodes) PrintNodes(network, views);
  const MeasuredOn on = ThisMachine(options);
  const int64_t flops = CountCost(network.graph()).CallFlops();
  if (session.json) {
    const nlohmann::json object = {
        {"preset", o.model.preset.empty() ? o.model.model : o.model.preset},
        {"component", info.name},
        {"processor", on.processor},
        {"executor", on.executor},
        {"dtype", on.dtype},
        {"isa", on.isa},
        {"threads", on.threads},
        {"seconds", {{"median", timing.median}, {"min", timing.min}, {"max", timing.max}}},
        {"flops", flops},
        {"flops_original", CountCost(original).total.flops},
        {"planned_bytes", network.Plan().total()},
        {"peak_rss_bytes", peak}};
    PrintJson(object);
    return Exit::kOk;
  }
  const std::string how = StrCat(on.executor, " ", on.dtype, on.isa.empty() ? "" : " ", on.isa);
  std::printf("%s %s, %s, %d threads: median %.3f s (%.3f to %.3f), %.3f TFLOP, %.3f TFLOP/s, peak %s\n",
              model.origin().c_str(), std::string(info.name).c_str(), how.c_str(), on.threads, timing.median,
              timing.min, timing.max, double(flops) / 1e12, double(flops) / timing.median / 1e12,
              FormatBytes(double(peak)).c_str());
  return Exit::kOk;
}

}  // namespace

Runner DeclareBench(CLI::App& app) {
  auto o = std::make_shared<BenchFlags>();
  o->model.Declare(app);
  o->size.Declare(app);
  o->exec.Declare(app);
  AddOption(app, Table().component, o->component);
  o->repetitions.Declare(app);
  AddOption(app, {.flags = "--nodes", .help = "Also print the time of each op on stderr"}, o->nodes);
  return [o](Session& session) { return Bench(session, *o); };
}

}  // namespace mvd::cli
