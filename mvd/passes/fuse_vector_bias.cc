// A vector for each clip that is added to a layer's output is part of the layer's bias: the time embedding
// behind a convolution, a folded cross-attention behind a self-attention's projection.
#include <algorithm>

#include "mvd/passes/passes.h"
#include "mvd/passes/rewrite.h"

namespace mvd {
namespace {

// One vector for all tokens of a batch item, and more than one token to add it to.
bool IsVectorFor(const Rewriter& rewriter, ValueId vector, ValueId sum) {
  const Dims v = rewriter.dims(vector), s = rewriter.dims(sum);
  const int rank = rewriter.node(vector).shape.rank();  // a bias is (O) or (B,1,1,1,O)
  return (rank == 1 || rank == 5) && v.t * v.h * v.w == 1 && v.c == s.c && (v.b == 1 || v.b == s.b) &&
         s.t * s.h * s.w > 1;
}

// A layer of the sum's shape whose bias can take a vector: nothing else reads it, and no activation comes
// between. It must not run in an earlier phase than the sum, where the vector may not be known.
bool TakesVector(const Rewriter& rewriter, ValueId id, ValueId sum) {
  const Node& node = rewriter.node(id);
  return IsLayer(node.op) && rewriter.UsedOnce(id) && LayerAct(node) == Act::kNone &&
         node.shape == rewriter.node(sum).shape && node.phase == rewriter.node(sum).phase;
}

// The layer that `id` is, or that it adds something to: (layer + r) + v is (layer + v) + r.
ValueId FindLayer(const Rewriter& rewriter, ValueId id, ValueId sum) {
  if (TakesVector(rewriter, id, sum)) return id;
  if (!rewriter.Is(id, Op::kAdd) || !rewriter.UsedOnce(id)) return kNoValue;
  const std::vector<ValueId>& parts = rewriter.node(id).inputs;
  for (ValueId part : {std::max(parts[0], parts[1]), std::min(parts[0], parts[1])}) {
    if (TakesVector(rewriter, part, sum)) return part;
  }
  return kNoValue;
}

void AddToBias(Rewriter& rewriter, ValueId layer, ValueId vector, ValueId sum, ValueId replacement) {
  std::vector<ValueId> inputs = rewriter.node(layer).inputs;
  inputs.resize(std::max<size_t>(inputs.size(), kLayerBias + 1), kNoValue);
  const ValueId bias = inputs[kLayerBias];
  const Phase phase = bias == kNoValue ? rewriter.node(vector).phase
                                       : std::max(rewriter.node(vector).phase, rewriter.node(bias).phase);
  const std::string name = rewriter.node(layer).name + ".vector_bias";
  rewriter.Replace(sum, replacement);
  inputs[kLayerBias] =
      bias == kNoValue ? vector : rewriter.Append(Op::kAdd, name, {vector, bias}, NoAttrs{}, phase);
  rewriter.SetInputs(layer, std::move(inputs));
}

}  // namespace

bool FuseVectorBias(Graph& graph) {
  Rewriter rewriter(graph);
  for (ValueId id = 0; id < rewriter.size(); ++id) {
    if (!rewriter.Is(id, Op::kAdd)) continue;
    for (const size_t side : {0, 1}) {
      const ValueId vector = rewriter.node(id).inputs[side], other = rewriter.node(id).inputs[1 - side];
      if (!IsVectorFor(rewriter, vector, id)) continue;
      const ValueId layer = FindLayer(rewriter, other, id);
      if (layer == kNoValue) continue;
      AddToBias(rewriter, layer, vector, id, other);
      break;
    }
  }
  return rewriter.Finish();
}

}  // namespace mvd
