// What a graph costs: floating point operations, parameters, bytes; in total and by parts.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "mvd/base/dtype.h"
#include "mvd/ir/graph.h"

namespace mvd {

// 2 x multiply-adds of convolutions, linear layers and both matrix products of attention. Everything else,
// biases included, counts 0. The tables of Mobile Video Diffusion (arXiv 2412.07583) fit this convention.
int64_t NodeFlops(const Graph& graph, ValueId id);

struct NodeCost {
  int64_t flops = 0;
  int64_t parameters = 0;        // elements of weights, each counted once, where it is named
  int64_t weight_bytes = 0;      // constants kept after loading: of a folded weight, only the result
  int64_t activation_bytes = 0;  // outputs written, without constants
  NodeCost& operator+=(const NodeCost& other);
};

struct CostGroup {
  std::string name;
  NodeCost cost;
};

struct GraphCost {
  NodeCost total;
  int64_t peak_activation_bytes = 0;  // of the planned arena; inputs and constants are not in it
  // The parts of the total, each list in the order of the graph.
  std::vector<CostGroup> by_component;  // "conv_in", "down_blocks.0", "mid_block", ...
  std::vector<CostGroup> by_level;      // "level 0", ...; "-": belongs to no level
  std::vector<CostGroup> by_kind;       // "spatial resnet", "temporal attention", ...
  std::vector<CostGroup> by_op;
  std::vector<CostGroup> by_phase;  // "load", "clip", "step"; always these three

  int64_t StepFlops() const;                                       // with every call
  int64_t ClipFlops() const;                                       // once per clip
  int64_t LoadFlops() const;                                       // once per model
  int64_t CallFlops() const { return StepFlops() + ClipFlops(); }  // of a clip's first call
};

GraphCost CountCost(const Graph& graph, DType dtype = DType::kF32);

// Plain text: the totals, then a table of each list of parts.
std::string FormatCostTable(const GraphCost& cost);

}  // namespace mvd
