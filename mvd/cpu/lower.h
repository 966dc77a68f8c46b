// From a graph to one whose every value has an element type and every reader the types it can take.
#pragma once

#include <vector>

#include "mvd/ir/graph.h"

namespace mvd::cpu {

struct Lowered {
  Graph graph;
  std::vector<DType> types;  // of each value; weights and values of phase load count as f32
};

// Gives each value its type. f32 are: vectors on the way of time and image embeddings, small and read by all
// layers; the residual stream (sums that later sums read), where roundings would add up over the network; the
// graph's outputs. All else has `dtype`. Where a reader cannot take the type it meets, an Affine of scale 1
// converts. With f32 the graph stays as it is.
Lowered Lower(const Graph& graph, DType dtype);

}  // namespace mvd::cpu
