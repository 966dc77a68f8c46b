// From a graph to one whose every value has an element type and every reader the types it can take.
#pragma once

#include <vector>

#include "mvd/ir/graph.h"

namespace mvd::cpu {

struct Lowered {
  Graph graph;
  std::vector<DType> types;  // of each value; weights and values of phase load count as f32
};

// Gives each value its type: vectors on the way of time and image embeddings stay f32, since they are small
// and every later layer sees their error, and so do the graph's outputs; all else has `dtype`. Where a reader
// cannot take the type it meets, an Affine of scale 1 converts, which reads one type and writes another. With
// f32 the graph stays as it is.
Lowered Lower(const Graph& graph, DType dtype);

}  // namespace mvd::cpu
