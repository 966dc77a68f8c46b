// An activation becomes part of the one op before it, so that its input is never written to memory:
// silu of a GroupNorm, geglu of a linear layer, any other of a linear layer or a convolution.
#include "mvd/passes/passes.h"
#include "mvd/passes/rewrite.h"

namespace mvd {
namespace {

// Whether `id` is a layer that can take the activation of its user: it has none.
bool CanActivate(const Rewriter& rewriter, ValueId id) {
  const Node& node = rewriter.node(id);
  return IsLayer(node.op) && rewriter.UsedOnce(id) && LayerAct(node) == Act::kNone;
}

}  // namespace

bool FuseNormActivation(Graph& graph) {
  Rewriter rewriter(graph);
  for (ValueId id = 0; id < rewriter.size(); ++id) {
    if (!rewriter.Is(id, Op::kActivation)) continue;
    const ValueId norm = rewriter.node(id).inputs[0];
    if (rewriter.node(id).as<ActivationAttrs>().act != Act::kSilu) continue;
    if (!rewriter.Is(norm, Op::kGroupNorm) || !rewriter.UsedOnce(norm)) continue;
    auto& attrs = std::get<GroupNormAttrs>(rewriter.node(norm).attrs);
    if (attrs.act != Act::kNone) continue;
    attrs.act = Act::kSilu;
    rewriter.Replace(id, norm);
  }
  return rewriter.Finish();
}

bool FuseGeglu(Graph& graph) {
  Rewriter rewriter(graph);
  for (ValueId id = 0; id < rewriter.size(); ++id) {
    if (!rewriter.Is(id, Op::kGeglu)) continue;
    const ValueId linear = rewriter.node(id).inputs[0];
    if (!rewriter.Is(linear, Op::kLinear) || !CanActivate(rewriter, linear)) continue;
    if (rewriter.node(linear).input(kLayerResidual) != kNoValue) continue;  // geglu(x w) only
    const ValueId bias = rewriter.node(linear).input(kLayerBias);
    if (bias != kNoValue && graph.shape(bias).rank() != 1) continue;  // geglu takes no bias per batch item
    SetLayerAct(rewriter.node(linear), Act::kGeglu);
    rewriter.SetInputs(linear, rewriter.node(linear).inputs);
    rewriter.Replace(id, linear);
  }
  return rewriter.Finish();
}

bool FuseActivation(Graph& graph) {
  Rewriter rewriter(graph);
  for (ValueId id = 0; id < rewriter.size(); ++id) {
    if (!rewriter.Is(id, Op::kActivation)) continue;
    const ValueId layer = rewriter.node(id).inputs[0];
    if (!CanActivate(rewriter, layer)) continue;
    SetLayerAct(rewriter.node(layer), rewriter.node(id).as<ActivationAttrs>().act);
    rewriter.Replace(id, layer);
  }
  return rewriter.Finish();
}

}  // namespace mvd
