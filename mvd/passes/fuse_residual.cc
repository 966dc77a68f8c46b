// A sum with a layer's output becomes the layer's epilogue: x w + b + residual, before any activation.
#include "mvd/passes/passes.h"
#include "mvd/passes/rewrite.h"

namespace mvd {
namespace {

bool TakesResidual(const Rewriter& rewriter, ValueId id, ValueId residual, ValueId sum) {
  const Node& node = rewriter.node(id);
  return IsLayer(node.op) && rewriter.UsedOnce(id) && LayerAct(node) == Act::kNone &&
         node.input(kLayerResidual) == kNoValue && node.shape == rewriter.node(residual).shape &&
         node.shape == rewriter.node(sum).shape && node.phase == rewriter.node(sum).phase;
}

}  // namespace

bool FuseResidual(Graph& graph) {
  Rewriter rewriter(graph);
  for (ValueId id = 0; id < rewriter.size(); ++id) {
    if (!rewriter.Is(id, Op::kAdd)) continue;
    // The later of two layers takes the sum, so that the other need not move before it.
    const std::vector<ValueId> parts = rewriter.node(id).inputs;
    const size_t later = parts[0] > parts[1] ? 0 : 1;
    for (const size_t side : {later, 1 - later}) {
      const ValueId layer = parts[side], residual = parts[1 - side];
      if (!TakesResidual(rewriter, layer, residual, id)) continue;
      std::vector<ValueId> inputs = rewriter.node(layer).inputs;
      inputs.resize(kLayerResidual + 1, kNoValue);
      inputs[kLayerResidual] = residual;
      rewriter.Replace(id, layer);
      rewriter.SetInputs(layer, std::move(inputs));
      break;
    }
  }
  return rewriter.Finish();
}

}  // namespace mvd
