// The graph: nodes in execution order, each one op with one output. It is plain data; everything that uses a
// graph is a function of it.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mvd/ir/op.h"

namespace mvd {

using ValueId = int32_t;  // the index of the node that makes the value
inline constexpr ValueId kNoValue = -1;

struct Node {
  Op op = Op::kInput;
  std::vector<ValueId> inputs;  // kNoValue where an optional one is absent
  Attrs attrs;
  Shape shape;       // of the output, by InferShape
  std::string name;  // unique: "down_blocks.0.resnets.1.spatial_res_block.conv1"; a weight's name in its file
  Phase phase = Phase::kStep;

  // The value given to an optional input, or kNoValue.
  ValueId input(size_t i) const { return i < inputs.size() ? inputs[i] : kNoValue; }
  template <class A>
  const A& as() const {
    return std::get<A>(attrs);
  }
};

struct Output {
  std::string name;
  ValueId value = kNoValue;
};

struct Graph {
  std::string name;
  std::vector<Node> nodes;  // every node comes after its inputs
  std::vector<Output> outputs;

  const Node& node(ValueId id) const { return nodes[size_t(id)]; }
  Node& node(ValueId id) { return nodes[size_t(id)]; }
  const Shape& shape(ValueId id) const { return node(id).shape; }
  // Nodes of one op (kInput, kWeight) in order.
  std::vector<ValueId> All(Op op) const;
  ValueId Find(std::string_view name) const;  // kNoValue where there is none
};

// Sizes of a (B,T,H,W,C) activation. A smaller rank is read as if ones stood before it.
struct Dims {
  int64_t b = 1, t = 1, h = 1, w = 1, c = 1;
  int64_t frames() const { return b * t; }
  int64_t tokens() const { return b * t * h * w; }  // rows of a linear layer
};
Dims DimsOf(const Shape& shape);

// The shape of the output of a node whose inputs have these shapes (rank 0 for an absent one). Throws
// InternalError naming the node if the shapes do not fit: we build the graphs, and what comes from a file
// has been checked before.
Shape InferShape(const Node& node, const std::vector<Shape>& inputs);

// Throws InternalError naming the node if the graph is not legal. Checks order, arity, attributes, shapes,
// names and outputs.
void Verify(const Graph& graph);

// How many nodes (and outputs) use each value.
std::vector<int> CountUses(const Graph& graph);

}  // namespace mvd
