// When a value is computed: once for a model where it depends on weights alone, once a clip where it does not
// depend on what changes with the noise level, else with every call. Both passes find the earliest phase
// that the inputs allow.
#include <algorithm>

#include "mvd/passes/passes.h"

namespace mvd {
namespace {

// Moves nodes whose inputs are all there by `phase` into it. Inputs of the graph have the phase they were
// given.
bool MoveInto(Graph& graph, Phase phase) {
  bool changed = false;
  for (Node& node : graph.nodes) {
    if (node.op == Op::kInput || node.phase <= phase) continue;
    const bool ready = std::all_of(node.inputs.begin(), node.inputs.end(), [&](ValueId input) {
      return input == kNoValue || graph.node(input).phase <= phase;
    });
    if (!ready) continue;
    node.phase = phase;
    changed = true;
  }
  return changed;
}

}  // namespace

bool FoldConstants(Graph& graph) { return MoveInto(graph, Phase::kLoad); }
bool HoistClipInvariants(Graph& graph) { return MoveInto(graph, Phase::kClip); }

}  // namespace mvd
