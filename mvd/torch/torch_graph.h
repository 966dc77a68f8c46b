// A graph whose ops are at:: calls, so that autograd differentiates it: training and CUDA.
#pragma once

#include <ATen/ATen.h>

#include <map>
#include <memory>
#include <string>

#include "mvd/base/weight_source.h"
#include "mvd/ir/graph.h"

namespace mvd {

// Weights under training by the names their files have; sorted, so that optimiser, checkpoint and all-reduce
// agree on one order. Master copies in f32 (f64 in tests), whatever type a graph computes in.
using Parameters = std::map<std::string, at::Tensor>;
using TensorMap = std::map<std::string, at::Tensor>;

// Every Weight node of `graph`, checked against its shape; each requires a gradient. Throws Error(kBadInput)
// naming the file and tensor.
Parameters LoadParameters(const Graph& graph, WeightSource& weights, at::Device device = at::kCPU,
                          at::ScalarType type = at::kFloat);

struct TorchGraphOptions {
  at::ScalarType compute = at::kFloat;  // kBFloat16: matrix products in bf16, norms, sums and losses in f32
  // Above 0: only values between that many segments of the graph are kept for the backward pass; the rest is
  // computed again. Saves memory, costs time. Gradients cannot be differentiated again: with create_graph the
  // backward pass throws InternalError.
  int recompute_segments = 0;
  bool nan_guard = false;  // throws Error naming the first node whose value is not finite
};

class TorchGraph {
 public:
  TorchGraph(Graph graph, const TorchGraphOptions& options);
  ~TorchGraph();
  const Graph& graph() const;
  // Inputs by name, (B,T,H,W,C) or as the graph's Input says, f32 (or compute type f64); outputs by name,
  // f32. Differentiable in parameters and inputs.
  TensorMap Run(const Parameters& parameters, const TensorMap& inputs) const;

 private:
  struct Plan;
  std::unique_ptr<Plan> plan_;
};

}  // namespace mvd
