// The whole contract between a graph and whatever runs it. The executors reference, null, cpu and torch
// implement it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "mvd/base/cancel.h"
#include "mvd/base/parallel.h"
#include "mvd/base/tensor.h"
#include "mvd/base/weight_source.h"
#include "mvd/ir/graph.h"

namespace mvd {

// The memory that a graph needs while it runs, known before it runs.
struct MemoryPlan {
  int64_t weight_bytes = 0;      // as the executor holds them
  int64_t activation_bytes = 0;  // the arena
  int64_t scratch_bytes = 0;     // of kernels
  int64_t total() const { return weight_bytes + activation_bytes + scratch_bytes; }
};

struct ExecOptions {
  DType dtype = DType::kF32;  // of weights and activations; sums are at least f32
  Threads threads = {};
  std::string isa = "auto";  // the highest instruction set a kernel may use
  const CancelToken* cancel = nullptr;
};

// What an observer is told of a node that has run; for compare, timing and debugging.
struct NodeRun {
  const Node& node;
  double seconds;                 // that it took
  std::function<Tensor()> value;  // copies its output, as f32
};
using NodeObserver = std::function<void(const NodeRun&)>;

class Executor {
 public:
  virtual ~Executor() = default;
  virtual std::string_view Name() const = 0;
  // Why this executor cannot run a node, or "".
  virtual std::string Unsupported(const Graph& graph, const Node& node) const = 0;
  // What Load will need for this graph; reads no weights.
  virtual MemoryPlan Plan(const Graph& graph) const = 0;
  // Takes the graph and packs its weights. Throws Error(kBadInput) naming the file and tensor if one is
  // missing or has another shape than the graph says. `progress` gets the share of weights done.
  virtual void Load(const Graph& graph, WeightSource& weights, const Progress& progress = {}) = 0;
  // Inputs in the order of graph.All(Op::kInput), outputs in the order of graph.outputs; f32, (B,T,H,W,C).
  // Phase kLoad is computed in Load; values of phase kClip are kept until `new_clip` is set.
  virtual void Run(std::span<const TensorView> inputs, std::span<const MutableTensorView> outputs,
                   bool new_clip = true) = 0;
  virtual void SetObserver(NodeObserver observer) = 0;
};

// Loads one weight, checked against the graph's shape, as f32 or another type. Used by every executor.
// Throws Error(kBadInput): "tensor 'x' is missing" or "has shape (3), expected (4)".
TensorView GetWeight(WeightSource& weights, const Node& node);

// Runs and returns the outputs, in the order of graph.outputs.
std::vector<Tensor> RunGraph(Executor& executor, const Graph& graph, std::span<const TensorView> inputs,
                             bool new_clip = true);

}  // namespace mvd
