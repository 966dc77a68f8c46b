// What running a graph needs to know before it runs: which nodes matter, when a value is read last, and where
// segments begin.
#pragma once

#include <vector>

#include "mvd/torch/torch_ops.h"

namespace mvd {

// A run of nodes [first, end) whose inner values are computed again in the backward pass.
struct TorchSegment {
  size_t first = 0, end = 0;
  std::vector<ValueId> inputs;   // made before, read inside
  std::vector<ValueId> outputs;  // made inside, read behind or by the graph's outputs
};

struct TorchPlan {
  Graph graph;
  torch_ops::Context context;
  std::vector<bool> needed;  // by a graph output, where attention over one key reads its value alone
  std::vector<std::vector<ValueId>> dead;  // of each node: the values that nobody reads behind it
  std::vector<TorchSegment> segments;      // cover all nodes, in order
};

// `segments` of about equal bytes, cut where few values are alive; 1 for no recomputation.
TorchPlan MakeTorchPlan(Graph graph, const torch_ops::Context& context, int segments);

// The values that a node needs (kNoValue becomes an undefined tensor).
torch_ops::Inputs NodeInputs(const Node& node, const std::vector<at::Tensor>& values);

// True where every element is finite.
bool IsFinite(const at::Tensor& value);

}  // namespace mvd
