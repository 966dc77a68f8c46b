// Linear(Linear(x, W1), W2) is Linear(x, W2 W1) where nothing stands between them, it costs no more, and what
// it saves soon pays for the product. One vector a clip does not pay: for a cross-attention of SVD, whose
// value and output projections it would be, that takes 1,024 clips.
#include "mvd/passes/passes.h"
#include "mvd/passes/rewrite.h"

namespace mvd {
namespace {

bool IsPlain(const Node& node) {
  return node.input(kLayerBias) == kNoValue && node.input(kLayerResidual) == kNoValue &&
         LayerAct(node) == Act::kNone;
}

// The product is made while weights load, so both must be known by then.
bool IsConstant(const Rewriter& rewriter, ValueId id) {
  return rewriter.Is(id, Op::kWeight) || rewriter.Is(id, Op::kWeightProduct);
}

constexpr int64_t kRunsToPay = 100;

// Of x (n,i), W1 (k,i), W2 (o,k), in multiply-adds: merged n o i a run, apart n k (o + i), the product o k i
// once.
bool Pays(int64_t n, int64_t i, int64_t k, int64_t o) {
  const int64_t saved = n * (k * (o + i) - o * i);
  return saved >= 0 && o * k * i <= kRunsToPay * saved;
}

}  // namespace

bool MergeLinears(Graph& graph) {
  Rewriter rewriter(graph);
  for (ValueId id = 0; id < rewriter.size(); ++id) {
    if (!rewriter.Is(id, Op::kLinear)) continue;
    const Node outer = rewriter.node(id);
    const ValueId inner_id = outer.inputs[kLayerX];
    if (!rewriter.Is(inner_id, Op::kLinear) || !rewriter.UsedOnce(inner_id)) continue;
    const Node inner = rewriter.node(inner_id);
    const ValueId w1 = inner.inputs[kLayerWeight], w2 = outer.inputs[kLayerWeight];
    if (!IsPlain(inner) || !IsConstant(rewriter, w1) || !IsConstant(rewriter, w2)) continue;
    const Shape& first = graph.shape(w1);
    if (!Pays(rewriter.dims(inner_id).tokens(), first[1], first[0], graph.shape(w2)[0])) continue;
    std::vector<ValueId> inputs = outer.inputs;
    inputs[kLayerX] = inner.inputs[kLayerX];
    inputs[kLayerWeight] = rewriter.Append(Op::kWeightProduct, outer.name + ".weight_product", {w2, w1},
                                           NoAttrs{}, Phase::kLoad);
    rewriter.SetInputs(id, std::move(inputs));
  }
  return rewriter.Finish();
}

}  // namespace mvd
