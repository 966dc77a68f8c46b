#include "mvd/ir/graph.h"

#include <unordered_set>

#include "mvd/base/check.h"

namespace mvd {

std::vector<ValueId> Graph::All(Op op) const {
  std::vector<ValueId> found;
  for (size_t i = 0; i < nodes.size(); ++i) {
    if (nodes[i].op == op) found.push_back(ValueId(i));
  }
  return found;
}

ValueId Graph::Find(std::string_view wanted) const {
  for (size_t i = 0; i < nodes.size(); ++i) {
    if (nodes[i].name == wanted) return ValueId(i);
  }
  return kNoValue;
}

Dims DimsOf(const Shape& shape) {
  MVD_CHECK_LE(shape.rank(), 5);
  Dims dims;
  int64_t* const fields[] = {&dims.b, &dims.t, &dims.h, &dims.w, &dims.c};
  for (int i = 0; i < shape.rank(); ++i) *fields[5 - shape.rank() + i] = shape[i];
  return dims;
}

namespace {

void VerifyNode(const Graph& graph, size_t index) {
  const Node& node = graph.nodes[index];
  const OpInfo& info = Info(node.op);
  MVD_CHECK(int(node.inputs.size()) >= info.min_inputs && int(node.inputs.size()) <= info.max_inputs,
            node.name, ": ", info.name, " takes ", info.min_inputs, " to ", info.max_inputs, " inputs, has ",
            node.inputs.size());
  MVD_CHECK(node.attrs.index() == info.attrs.index(), node.name, ": attributes of another op than ",
            info.name);
  std::vector<Shape> shapes;
  Phase latest = Phase::kLoad;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    const ValueId input = node.inputs[i];
    if (input == kNoValue) {
      MVD_CHECK(int(i) >= info.min_inputs, node.name, ": input ", i, " is absent");
      shapes.emplace_back();
      continue;
    }
    MVD_CHECK(input >= 0 && size_t(input) < index, node.name, ": input ", i, " does not come before it");
    shapes.push_back(graph.shape(input));
    latest = std::max(latest, graph.node(input).phase);
  }
  MVD_CHECK(node.phase >= latest, node.name, ": runs in an earlier phase than its inputs");
  if (node.op == Op::kWeight) {
    MVD_CHECK(node.shape.rank() > 0, node.name, ": a weight states its shape");
  } else {
    const Shape inferred = InferShape(node, shapes);
    MVD_CHECK(inferred == node.shape, node.name, ": shape ", node.shape, ", inferred ", inferred);
  }
}

}  // namespace

void Verify(const Graph& graph) {
  std::unordered_set<std::string_view> names;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    MVD_CHECK(!node.name.empty(), "node ", i, " has no name");
    MVD_CHECK(names.insert(node.name).second, "two nodes are named ", node.name);
    VerifyNode(graph, i);
  }
  MVD_CHECK(!graph.outputs.empty(), graph.name, " has no output");
  std::unordered_set<std::string_view> output_names;
  for (const Output& output : graph.outputs) {
    MVD_CHECK(output.value >= 0 && size_t(output.value) < graph.nodes.size(), "output ", output.name);
    MVD_CHECK(output_names.insert(output.name).second, "two outputs are named ", output.name);
  }
}

std::vector<int> CountUses(const Graph& graph) {
  std::vector<int> uses(graph.nodes.size(), 0);
  for (const Node& node : graph.nodes) {
    for (ValueId input : node.inputs) {
      if (input != kNoValue) ++uses[size_t(input)];
    }
  }
  for (const Output& output : graph.outputs) ++uses[size_t(output.value)];
  return uses;
}

}  // namespace mvd
