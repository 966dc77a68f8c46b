#include "mvd/cost/cost.h"

#include <algorithm>

#include "mvd/base/error.h"
#include "mvd/cost/classify.h"
#include "mvd/ir/arena.h"

namespace mvd {
namespace {

std::string_view Name(Phase phase) { return EnumNames<Phase>::kNames[size_t(phase)]; }

void AddTo(std::vector<CostGroup>& groups, std::string_view name, const NodeCost& cost) {
  auto found = std::find_if(groups.begin(), groups.end(), [&](const CostGroup& g) { return g.name == name; });
  if (found == groups.end()) found = groups.insert(found, CostGroup{std::string(name), {}});
  found->cost += cost;
}

// Constants that something outside loading reads: what an executor keeps.
std::vector<char> FindKeptConstants(const Graph& graph) {
  std::vector<char> kept(graph.nodes.size(), 0);
  const auto keep = [&](ValueId id) {
    if (graph.node(id).phase == Phase::kLoad) kept[size_t(id)] = 1;
  };
  for (const Node& node : graph.nodes) {
    for (ValueId input : node.inputs) {
      if (input != kNoValue && node.phase != Phase::kLoad) keep(input);
    }
  }
  for (const Output& output : graph.outputs) keep(output.value);
  return kept;
}

int64_t FlopsOf(const GraphCost& cost, Phase phase) {
  for (const CostGroup& group : cost.by_phase) {
    if (group.name == Name(phase)) return group.cost.flops;
  }
  return 0;
}

}  // namespace

NodeCost& NodeCost::operator+=(const NodeCost& other) {
  if (__builtin_add_overflow(flops, other.flops, &flops))
    throw Error(Exit::kOutOfMemory, "", "more than 2^63 operations: take smaller sizes");
  parameters += other.parameters;
  weight_bytes += other.weight_bytes;
  activation_bytes += other.activation_bytes;
  return *this;
}

int64_t GraphCost::StepFlops() const { return FlopsOf(*this, Phase::kStep); }
int64_t GraphCost::ClipFlops() const { return FlopsOf(*this, Phase::kClip); }
int64_t GraphCost::LoadFlops() const { return FlopsOf(*this, Phase::kLoad); }

GraphCost CountCost(const Graph& graph, DType dtype) {
  GraphCost cost;
  const int64_t element = int64_t(SizeOf(dtype));
  const Classifier classifier(graph);
  const std::vector<int> uses = CountUses(graph);
  const std::vector<char> kept = FindKeptConstants(graph);
  for (std::string_view phase : EnumNames<Phase>::kNames) cost.by_phase.push_back({std::string(phase), {}});
  for (ValueId id = 0; size_t(id) < graph.nodes.size(); ++id) {
    const Node& node = graph.node(id);
    const int64_t bytes = node.shape.elements() * element;
    const bool writes = node.op != Op::kInput && node.op != Op::kReshape && node.phase != Phase::kLoad;
    const NodeCost here{
        .flops = NodeFlops(graph, id),
        .parameters = node.op == Op::kWeight && uses[size_t(id)] > 0 ? node.shape.elements() : 0,
        .weight_bytes = kept[size_t(id)] ? bytes : 0,
        .activation_bytes = writes ? bytes : 0};
    const NodeClass part = classifier.Classify(node.name);
    cost.total += here;
    AddTo(cost.by_component, part.component, here);
    AddTo(cost.by_level, part.level, here);
    AddTo(cost.by_kind, part.kind, here);
    AddTo(cost.by_op, Name(node.op), here);
    AddTo(cost.by_phase, Name(node.phase), here);
  }
  cost.peak_activation_bytes =
      PlanArena(graph, [&](ValueId id) {
        return graph.node(id).phase == Phase::kLoad ? 0 : graph.shape(id).elements() * element;
      }).arena_bytes;
  return cost;
}

}  // namespace mvd
