// Attention to one key is its value: softmax over one key is 1 (Mobile Video Diffusion, optimised
// cross-attention). Queries, keys and the norm before them are needed no more, and the projection behind it
// needs one row a key instead of one a query. As in the paper, spatial attention still computes its value for
// each frame and temporal attention for each location; hoist_expand sees that they are all the same.
#include "mvd/passes/hoist_expand.h"
#include "mvd/passes/passes.h"

namespace mvd {
namespace {

bool HasOneKey(const Rewriter& rewriter, const Node& attention) {
  const Dims keys = rewriter.dims(attention.inputs[1]);
  return attention.as<AttentionAttrs>().axis == Axis::kSpatial ? keys.h * keys.w == 1 : keys.t == 1;
}

void HoistProjections(Rewriter& rewriter, ValueId copies) {
  for (ValueId id = 0; id < rewriter.size(); ++id) {
    if (rewriter.Is(id, Op::kLinear) && rewriter.node(id).inputs[kLayerX] == copies)
      HoistExpandsAt(rewriter, id);
  }
}

}  // namespace

bool FoldSingleTokenAttention(Graph& graph) {
  Rewriter rewriter(graph);
  for (ValueId id = 0; id < rewriter.size(); ++id) {
    if (!rewriter.Is(id, Op::kAttention)) continue;
    const Node node = rewriter.node(id);
    if (!HasOneKey(rewriter, node)) continue;
    const ValueId value = node.inputs[2];
    if (graph.shape(value) == node.shape) {
      rewriter.Replace(id, value);
      continue;
    }
    const ValueId copies = rewriter.Append(Op::kExpand, node.name + ".expand", {value},
                                           ShapeAttrs{.shape = node.shape}, node.phase);
    rewriter.Replace(id, copies);
    HoistProjections(rewriter, copies);
  }
  return rewriter.Finish();
}

}  // namespace mvd
