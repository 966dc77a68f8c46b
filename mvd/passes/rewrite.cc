#include "mvd/passes/rewrite.h"

#include <algorithm>
#include <functional>

#include "mvd/base/check.h"

namespace mvd {

namespace {

// What reaches an output, and the inputs of the graph.
std::vector<char> FindLive(const Graph& graph) {
  std::vector<char> live(graph.nodes.size(), 0);
  std::vector<ValueId> open = graph.All(Op::kInput);
  for (const Output& output : graph.outputs) open.push_back(output.value);
  while (!open.empty()) {
    const ValueId id = open.back();
    open.pop_back();
    if (id == kNoValue || live[size_t(id)]) continue;
    live[size_t(id)] = 1;
    open.insert(open.end(), graph.node(id).inputs.begin(), graph.node(id).inputs.end());
  }
  return live;
}

// Live nodes by index, each preceded by those of its inputs that are not there yet. An input of the graph is
// preceded by the earlier ones: their order is the caller's.
std::vector<ValueId> SortedOrder(const Graph& graph) {
  const std::vector<char> live = FindLive(graph);
  const std::vector<ValueId> graph_inputs = graph.All(Op::kInput);
  std::vector<ValueId> order;
  enum : char { kNew, kOpen, kDone };
  std::vector<char> state(graph.nodes.size(), kNew);
  const std::function<void(ValueId)> emit = [&](ValueId id) {
    if (id == kNoValue || state[size_t(id)] == kDone) return;
    const Node& node = graph.node(id);
    MVD_CHECK(state[size_t(id)] == kNew, node.name, " depends on itself");
    state[size_t(id)] = kOpen;
    for (ValueId input : node.inputs) emit(input);
    if (node.op == Op::kInput) {
      for (ValueId input : graph_inputs) {
        if (input < id) emit(input);
      }
    }
    state[size_t(id)] = kDone;
    order.push_back(id);
  };
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    if (live[i]) emit(ValueId(i));
  }
  return order;
}

}  // namespace

bool Tidy(Graph& graph) {
  const std::vector<ValueId> order = SortedOrder(graph);
  std::vector<ValueId> renamed(graph.nodes.size(), kNoValue);
  std::vector<Node> nodes;
  nodes.reserve(order.size());
  for (ValueId id : order) {
    renamed[size_t(id)] = ValueId(nodes.size());
    Node node = std::move(graph.node(id));
    for (ValueId& input : node.inputs) {
      if (input == kNoValue) continue;
      input = renamed[size_t(input)];
      node.phase = std::max(node.phase, nodes[size_t(input)].phase);
    }
    nodes.push_back(std::move(node));
  }
  const bool dropped = nodes.size() < graph.nodes.size();
  graph.nodes = std::move(nodes);
  for (Output& output : graph.outputs) output.value = renamed[size_t(output.value)];
  return dropped;
}

Rewriter::Rewriter(Graph& graph)
    : graph_(graph),
      original_(ValueId(graph.nodes.size())),
      erased_(graph.nodes.size(), 0),
      uses_(CountUses(graph)) {}

Shape Rewriter::Infer(const Node& node) const {
  if (node.op == Op::kWeight) return node.shape;
  std::vector<Shape> shapes;
  for (ValueId input : node.inputs) shapes.push_back(input == kNoValue ? Shape{} : graph_.shape(input));
  return InferShape(node, shapes);
}

ValueId Rewriter::Append(Op op, const std::string& name, std::vector<ValueId> inputs, Attrs attrs,
                         Phase phase) {
  Node node{.op = op,
            .inputs = std::move(inputs),
            .attrs = std::move(attrs),
            .shape = {},
            .name = name,
            .phase = phase};
  for (int n = 2; graph_.Find(node.name) != kNoValue; ++n) node.name = name + "#" + std::to_string(n);
  node.shape = Infer(node);
  for (ValueId input : node.inputs) {
    if (input != kNoValue) ++uses_[size_t(input)];
  }
  graph_.nodes.push_back(std::move(node));
  erased_.push_back(0);
  uses_.push_back(0);
  changed_ = true;
  return ValueId(graph_.nodes.size() - 1);
}

void Rewriter::SetInputs(ValueId id, std::vector<ValueId> inputs) {
  const size_t least = size_t(Info(node(id).op).min_inputs);
  while (inputs.size() > least && inputs.back() == kNoValue) inputs.pop_back();
  for (ValueId input : inputs) {
    if (input != kNoValue) ++uses_[size_t(input)];
  }
  for (ValueId input : node(id).inputs) {
    if (input != kNoValue) --uses_[size_t(input)];
  }
  node(id).inputs = std::move(inputs);
  node(id).shape = Infer(node(id));
  changed_ = true;
}

void Rewriter::Replace(ValueId from, ValueId to) {
  for (ValueId input : node(from).inputs) {
    if (input != kNoValue) --uses_[size_t(input)];
  }
  node(from).inputs.clear();
  erased_[size_t(from)] = 1;
  MoveUses(from, to);
}

void Rewriter::MoveUses(ValueId from, ValueId to) {
  MVD_CHECK(from != to);
  const auto move = [&](ValueId& use) {
    if (use != from) return;
    use = to;
    --uses_[size_t(from)];
    ++uses_[size_t(to)];
  };
  for (size_t i = 0; i < graph_.nodes.size(); ++i) {
    if (ValueId(i) == to) continue;
    for (ValueId& input : graph_.nodes[i].inputs) move(input);
  }
  for (Output& output : graph_.outputs) move(output.value);
  changed_ = true;
}

bool Rewriter::Finish() {
  if (changed_) Tidy(graph_);
  return changed_;
}

bool IsLayer(Op op) { return op == Op::kConv2d || op == Op::kConvTemporal || op == Op::kLinear; }

Act LayerAct(const Node& node) {
  if (node.op == Op::kConv2d) return node.as<Conv2dAttrs>().act;
  if (node.op == Op::kConvTemporal) return node.as<ConvAttrs>().act;
  return node.as<LinearAttrs>().act;
}

void SetLayerAct(Node& node, Act act) {
  if (node.op == Op::kConv2d) {
    std::get<Conv2dAttrs>(node.attrs).act = act;
  } else if (node.op == Op::kConvTemporal) {
    std::get<ConvAttrs>(node.attrs).act = act;
  } else {
    std::get<LinearAttrs>(node.attrs).act = act;
  }
}

}  // namespace mvd
