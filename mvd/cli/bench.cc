// bench: one component of a preset (random weights in memory) or of a model folder, timed.
#include <algorithm>
#include <cstdio>
#include <iostream>
#include <vector>

#include "mvd/base/rng.h"
#include "mvd/base/stopwatch.h"
#include "mvd/cli/command.h"
#include "mvd/cli/flags.h"
#include "mvd/cli/terminal.h"
#include "mvd/cost/cost.h"
#include "mvd/cpu/isa.h"

namespace mvd::cli {
namespace {

struct Options {
  ExecFlags exec;
  ModelFlags model;
  SizeFlags size;
  std::string component = "unet";
  int warmup = 1, reps = 3;
  bool nodes = false;
};

// Standard normals for pictures and latents; small positive numbers for times and ids, as a sampler would
// give.
std::vector<Tensor> MakeInputs(const Graph& graph) {
  std::vector<Tensor> inputs;
  for (ValueId id : graph.All(Op::kInput)) {
    Tensor tensor(graph.shape(id));
    PhiloxNormal(1, uint64_t(id), 0, tensor.f32());
    inputs.push_back(std::move(tensor));
  }
  return inputs;
}

// Seconds a node kind takes in one call, by op.
void PrintNodes(Network& network, std::span<const TensorView> inputs) {
  std::map<std::string, double> seconds;
  network.executor().SetObserver(
      [&](const NodeRun& run) { seconds[std::string(Name(run.node.op))] += run.seconds; });
  network.Run(inputs);
  network.executor().SetObserver({});
  for (const auto& [op, s] : seconds) std::fprintf(stderr, "%-16s %9.1f ms\n", op.c_str(), s * 1e3);
}

Exit Bench(Session& session, const Options& o) {
  const NetworkOptions options = o.exec.Resolve(session.cancel);
  const Model model = o.model.Open(options);
  const ComponentInfo& info = FindComponent(o.component);
  StatusLine status(session.quiet);
  const Graph original = info.build(model.configs(), o.size.Resolve(model.defaults()));
  Network network(original, options);
  network.Load(*model.Weights(info.name), status.AsProgress());
  const std::vector<Tensor> inputs = MakeInputs(network.graph());
  const std::vector<TensorView> views(inputs.begin(), inputs.end());
  std::vector<double> seconds;
  for (int i = 0; i < o.warmup + o.reps; ++i) {
    const Stopwatch watch;
    network.Run(views);
    if (i >= o.warmup) seconds.push_back(watch.Seconds());
    status.Update("bench", double(i + 1) / (o.warmup + o.reps));
  }
  status.Clear();
  const int64_t peak = PeakResidentBytes();
  if (o.nodes) PrintNodes(network, views);
  std::sort(seconds.begin(), seconds.end());
  const double median = (seconds[(seconds.size() - 1) / 2] + seconds[seconds.size() / 2]) / 2;
  const int64_t flops = CountCost(network.graph()).CallFlops();
  if (session.json) {
    const nlohmann::json object = {
        {"preset", o.model.preset.empty() ? o.model.model : o.model.preset},
        {"component", info.name},
        {"executor", options.executor},
        {"dtype", Name(options.exec.dtype)},
        {"isa", FindIsa(options.exec.isa).name},
        {"threads", options.exec.threads.count},
        {"seconds", {{"median", median}, {"min", seconds.front()}, {"max", seconds.back()}}},
        {"flops", flops},
        {"flops_original", CountCost(original).total.flops},
        {"planned_bytes", network.Plan().total()},
        {"peak_rss_bytes", peak}};
    std::cout << object.dump() << "\n";
    return Exit::kOk;
  }
  std::printf("%s %s, %s, %d threads, %s: median %.3f s (%.3f to %.3f), %.3f TFLOP, %.3f TFLOP/s, peak %s\n",
              model.origin().c_str(), std::string(info.name).c_str(),
              std::string(Name(options.exec.dtype)).c_str(), options.exec.threads.count,
              std::string(FindIsa(options.exec.isa).name).c_str(), median, seconds.front(), seconds.back(),
              double(flops) / 1e12, double(flops) / median / 1e12, FormatBytes(double(peak)).c_str());
  return Exit::kOk;
}

}  // namespace

Runner DeclareBench(CLI::App& app) {
  auto o = std::make_shared<Options>();
  o->model.Declare(app);
  o->size.Declare(app);
  o->exec.Declare(app);
  app.add_option("--component", o->component, ComponentNames())->capture_default_str();
  app.add_option("--warmup", o->warmup, "Calls before timing")
      ->capture_default_str()
      ->check(CLI::Range(0, 1000));
  app.add_option("--reps", o->reps, "Timed calls")->capture_default_str()->check(CLI::Range(1, 100000));
  app.add_flag("--nodes", o->nodes, "Also print the time each op takes, on stderr");
  return [o](Session& session) { return Bench(session, *o); };
}

}  // namespace mvd::cli
