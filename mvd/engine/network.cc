#include "mvd/engine/network.h"

#include <algorithm>

#include "mvd/base/process_memory.h"
#include "mvd/cpu/cpu_executor.h"
#include "mvd/exec/null.h"
#include "mvd/exec/reference.h"
#include "mvd/torch/torch_executor.h"

namespace mvd {
namespace {

// In the order in which they are preferred.
struct ExecutorRow {
  std::string_view name;
  bool (*built)();
  std::unique_ptr<Executor> (*make)(const ExecOptions&);
};

bool Always() { return true; }

constexpr ExecutorRow kExecutors[] = {
    {"cpu", HasCpuExecutor, MakeCpuExecutor},
    {"torch", HasTorchExecutor, MakeTorchExecutor},
    {"reference", Always, MakeReferenceExecutor},
    {"null", Always, MakeNullExecutor},
};

}  // namespace

std::vector<std::string> ExecutorNames() {
  std::vector<std::string> names;
  for (const ExecutorRow& row : kExecutors) names.emplace_back(row.name);
  return names;
}

std::string DefaultExecutor() {
  const auto* row = std::ranges::find_if(kExecutors, [](const ExecutorRow& r) { return r.built(); });
  return std::string(row->name);
}

std::unique_ptr<Executor> MakeExecutor(std::string_view name, const ExecOptions& options) {
  std::string names;
  for (const ExecutorRow& row : kExecutors) {
    if (row.name == name) return row.make(options);
    names += (names.empty() ? "" : ", ") + std::string(row.name);
  }
  ThrowUsage("--executor ", name, ": expected one of ", names);
}

Network::Network(Graph graph, const NetworkOptions& options) : graph_(std::move(graph)) {
  report_ = RunPasses(graph_, options.passes);
  executor_ = MakeExecutor(options.executor, options.exec);
}

void Network::Load(WeightSource& weights, const Progress& progress) {
  std::string sizes;
  for (ValueId id : graph_.All(Op::kInput)) sizes += (sizes.empty() ? "" : ", ") + ToString(graph_.shape(id));
  CheckFitsMachine(Plan().total(), StrCat(graph_.name, " with inputs ", sizes));
  executor_->Load(graph_, weights, progress);
}

std::vector<Tensor> Network::Run(std::span<const TensorView> inputs, bool new_clip) {
  return RunGraph(*executor_, graph_, inputs, new_clip);
}

}  // namespace mvd
