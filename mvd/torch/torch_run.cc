#include "mvd/torch/torch_run.h"

#include <algorithm>
#include <set>

#include "mvd/base/check.h"

namespace mvd {
namespace {

bool Reads(const TorchPlan& plan, size_t node, size_t input) {
  const Node& n = plan.graph.nodes[node];
  return n.inputs[input] != kNoValue && (input == 2 || !torch_ops::HasOneKey(plan.graph, n));
}

void MarkNeeded(TorchPlan& plan) {
  plan.needed.assign(plan.graph.nodes.size(), false);
  for (const Output& output : plan.graph.outputs) plan.needed[size_t(output.value)] = true;
  for (size_t i = plan.graph.nodes.size(); i-- > 0;) {
    if (!plan.needed[i]) continue;
    const auto& inputs = plan.graph.nodes[i].inputs;
    for (size_t k = 0; k < inputs.size(); ++k) {
      if (Reads(plan, i, k)) plan.needed[size_t(inputs[k])] = true;
    }
  }
}

// The last node that reads each value; the number of nodes where an output of the graph is it.
std::vector<size_t> LastReaders(const TorchPlan& plan) {
  const auto& nodes = plan.graph.nodes;
  std::vector<size_t> last(nodes.size(), 0);
  for (size_t i = 0; i < nodes.size(); ++i) {
    if (!plan.needed[i]) continue;
    last[i] = std::max(last[i], i);
    for (size_t k = 0; k < nodes[i].inputs.size(); ++k) {
      if (Reads(plan, i, k)) last[size_t(nodes[i].inputs[k])] = i;
    }
  }
  for (const Output& output : plan.graph.outputs) last[size_t(output.value)] = nodes.size();
  return last;
}

bool IsComputed(const TorchPlan& plan, size_t i) {
  const Op op = plan.graph.nodes[i].op;
  return plan.needed[i] && op != Op::kInput && op != Op::kWeight;
}

// Where segments begin: near equal shares of the bytes made, at the node in front of which fewest values
// live.
std::vector<size_t> Cuts(const TorchPlan& plan, const std::vector<size_t>& last, int segments) {
  const size_t count = plan.graph.nodes.size();
  std::vector<double> made(count + 1, 0), alive(count + 1, 0);
  for (size_t i = 0; i < count; ++i) {
    const double size = IsComputed(plan, i) ? double(plan.graph.nodes[i].shape.elements()) : 0;
    made[i + 1] = made[i] + size;
    for (size_t k = i + 1; k <= std::min(last[i], count); ++k) alive[k] += size;
  }
  std::vector<size_t> cuts{0};
  for (int s = 1; s < segments; ++s) {
    const double from = made[count] * (s - 0.25) / segments, to = made[count] * (s + 0.25) / segments;
    size_t best = count;
    for (size_t i = cuts.back() + 1; i < count; ++i) {
      if (made[i] < from || made[i] > to) continue;
      if (best == count || alive[i] < alive[best]) best = i;
    }
    if (best < count) cuts.push_back(best);
  }
  cuts.push_back(count);
  return cuts;
}

TorchSegment MakeSegment(const TorchPlan& plan, const std::vector<size_t>& last, size_t first, size_t end) {
  TorchSegment segment{first, end, {}, {}};
  std::set<ValueId> inputs;
  for (size_t i = first; i < end; ++i) {
    if (!IsComputed(plan, i)) continue;
    const Node& node = plan.graph.nodes[i];
    for (size_t k = 0; k < node.inputs.size(); ++k) {
      if (!Reads(plan, i, k)) continue;
      const ValueId input = node.inputs[k];
      if (size_t(input) < first || !IsComputed(plan, size_t(input))) inputs.insert(input);
    }
    if (last[i] >= end) segment.outputs.push_back(ValueId(i));
  }
  segment.inputs.assign(inputs.begin(), inputs.end());
  return segment;
}

}  // namespace

TorchPlan MakeTorchPlan(Graph graph, const torch_ops::Context& context, int segments) {
  Verify(graph);
  TorchPlan plan{.graph = std::move(graph), .context = context, .needed = {}, .dead = {}, .segments = {}};
  MarkNeeded(plan);
  const std::vector<size_t> last = LastReaders(plan);
  plan.dead.resize(plan.graph.nodes.size());
  for (size_t i = 0; i < last.size(); ++i) {
    if (IsComputed(plan, i) && last[i] < last.size()) plan.dead[last[i]].push_back(ValueId(i));
  }
  const std::vector<size_t> cuts = Cuts(plan, last, std::max(1, segments));
  for (size_t s = 0; s + 1 < cuts.size(); ++s) {
    plan.segments.push_back(MakeSegment(plan, last, cuts[s], cuts[s + 1]));
  }
  return plan;
}

torch_ops::Inputs NodeInputs(const Node& node, const std::vector<at::Tensor>& values) {
  torch_ops::Inputs inputs;
  for (ValueId id : node.inputs) inputs.push_back(id == kNoValue ? at::Tensor() : values[size_t(id)]);
  return inputs;
}

bool IsFinite(const at::Tensor& value) { return at::isfinite(value).all().item<bool>(); }

}  // namespace mvd
