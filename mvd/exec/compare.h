// Runs two executors on one graph and compares them node by node, to find where a wrong result or a NaN
// begins.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "mvd/exec/executor.h"
#include "mvd/exec/metrics.h"

namespace mvd {

struct NodeDifference {
  std::string node;
  Op op = Op::kInput;
  Shape shape;
  double rel_rms = 0;  // of `a` against `b`, as Measure has it
  double max_abs = 0;
  double cosine = 1;
  bool nan_a = false;  // an element of `a` is NaN or infinite
  bool nan_b = false;
};

struct CompareReport {
  std::string a, b;  // the executors' names
  double tolerance = 0;
  std::vector<NodeDifference> nodes;       // those that both reported, in the order of the graph
  std::vector<NodeDifference> outputs;     // all outputs of the graph, under their names there
  std::optional<size_t> first_difference;  // the first of `nodes` with rel_rms above the tolerance
  std::optional<size_t> first_nan;         // the first of `nodes` where either is not finite

  bool Agrees() const;  // every node and every output within the tolerance
};

// Loads and runs `a`, then `b`. `b` is the reference: rel_rms is relative to it. A node that only one of them
// reports is left out. Both observers are cleared at the end.
// Every value of `a` is kept, as f32, until `b` has computed its own. So use this for graphs of test size,
// and compare a full-size model block by block.
CompareReport CompareExecutors(Executor& a, Executor& b, const Graph& graph, WeightSource& weights,
                               std::span<const TensorView> inputs, double tolerance);

// Plain text: the verdict, where the first difference and the first NaN are, the `top_n` worst nodes, the
// outputs.
std::string FormatCompare(const CompareReport& report, size_t top_n = 10);

}  // namespace mvd
