// Computes before copies are made: f(Expand(x)) is Expand(f(x)) where f acts on each token alone, and Add
// broadcasts by itself. A cross-attention that was folded to its value becomes one vector a clip this way
// instead of one a frame or a location.
#include "mvd/passes/hoist_expand.h"

#include "mvd/passes/passes.h"

namespace mvd {
namespace {

ValueId Unexpanded(const Rewriter& rewriter, ValueId id) {
  return rewriter.Is(id, Op::kExpand) ? rewriter.node(id).inputs[0] : id;
}

// Whether the node may read `source` where it now reads its Expand `expanded`.
bool ActsOnTokens(const Rewriter& rewriter, const Node& node, const Dims& source, const Dims& expanded) {
  switch (node.op) {
    case Op::kActivation:
    case Op::kAffine:
    case Op::kExpand:
      return true;
    case Op::kGeglu:
    case Op::kTimestep:
    case Op::kLayerNorm:
      return source.c == expanded.c;
    case Op::kLinear: {
      const ValueId bias = node.input(kLayerBias);
      const bool bias_fits = bias == kNoValue || rewriter.node(bias).shape.rank() == 1 ||
                             rewriter.dims(bias).b == 1 || source.b == expanded.b;
      return source.c == expanded.c && bias_fits && node.input(kLayerResidual) == kNoValue;
    }
    default:
      return false;
  }
}

bool HoistInto(Rewriter& rewriter, ValueId id) {
  std::vector<ValueId> inputs = rewriter.node(id).inputs;
  if (rewriter.node(id).op == Op::kAdd) {
    for (ValueId& input : inputs) input = Unexpanded(rewriter, input);
  } else if (!inputs.empty() && rewriter.Is(inputs[0], Op::kExpand)) {
    const ValueId source = rewriter.node(inputs[0]).inputs[0];
    if (!ActsOnTokens(rewriter, rewriter.node(id), rewriter.dims(source), rewriter.dims(inputs[0])))
      return false;
    inputs[0] = source;
  }
  if (inputs == rewriter.node(id).inputs) return false;
  rewriter.SetInputs(id, std::move(inputs));
  return true;
}

}  // namespace

bool HoistExpandsAt(Rewriter& rewriter, ValueId id) {
  const Shape before = rewriter.node(id).shape;
  if (!HoistInto(rewriter, id)) return false;
  const Node node = rewriter.node(id);
  if (node.shape == before) return true;
  rewriter.MoveUses(
      id, rewriter.Append(Op::kExpand, node.name + ".expand", {id}, ShapeAttrs{.shape = before}, node.phase));
  return true;
}

bool HoistExpand(Graph& graph) {
  Rewriter rewriter(graph);
  // In order: an op's copies are made behind it, where its users find them to hoist in their turn.
  for (ValueId id = 0; id < rewriter.size(); ++id) {
    HoistExpandsAt(rewriter, id);
    if (!rewriter.Is(id, Op::kExpand)) continue;
    const ValueId source = rewriter.node(id).inputs[0];
    if (graph.shape(source) == graph.shape(id)) rewriter.Replace(id, source);  // no copies at all
  }
  return rewriter.Finish();
}

}  // namespace mvd
