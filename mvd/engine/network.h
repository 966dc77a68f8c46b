// A graph after its passes, loaded into an executor: what the program runs.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "mvd/exec/executor.h"
#include "mvd/passes/passes.h"

namespace mvd {

// The executors by name, one list: "cpu", "torch", "reference", "null".
std::vector<std::string> ExecutorNames();
// The first of them that this build has: "cpu", without oneDNN "torch", without both "reference".
std::string DefaultExecutor();

struct NetworkOptions {
  std::string executor = DefaultExecutor();
  ExecOptions exec;
  PassOptions passes;
};

// Throws Error(kUsage) listing the names.
std::unique_ptr<Executor> MakeExecutor(std::string_view name, const ExecOptions& options);

class Network {
 public:
  Network(Graph graph, const NetworkOptions& options);

  const Graph& graph() const { return graph_; }
  const PassReport& passes() const { return report_; }
  MemoryPlan Plan() const { return executor_->Plan(graph_); }
  // Error(kOutOfMemory), before anything is allocated, where the plan is more than the machine could ever
  // hold; else as Executor::Load.
  void Load(WeightSource& weights, const Progress& progress = {});
  // Inputs in the graph's order, viewed as (B,T,H,W,C) whatever their rank; returns the outputs in order.
  std::vector<Tensor> Run(std::span<const TensorView> inputs, bool new_clip = true);
  Executor& executor() { return *executor_; }

 private:
  Graph graph_;
  PassReport report_;
  std::unique_ptr<Executor> executor_;
};

}  // namespace mvd
