// One rule an op. A switch without a default: an op without a rule does not compile.
#include "mvd/base/check.h"
#include "mvd/cost/cost.h"

namespace mvd {
namespace {

// A product and a sum each; inside int64, or an Error(kOutOfMemory).
int64_t Twice(int64_t a, int64_t b) { return CheckedMul(2, CheckedMul(a, b)); }

// Both matmuls: each query meets each key of its group, then each value.
int64_t AttentionFlops(const Graph& graph, const Node& node) {
  const Dims q = DimsOf(graph.shape(node.inputs[0])), k = DimsOf(graph.shape(node.inputs[1]));
  const int64_t keys = node.as<AttentionAttrs>().axis == Axis::kSpatial ? k.h * k.w : k.t;
  return Twice(CheckedMul(q.tokens(), keys), q.c + DimsOf(node.shape).c);
}

// Every output is a sum over one block's inner size.
int64_t WeightProductFlops(const Shape& a, const Shape& b, const Shape& product) {
  return Twice(product.elements(), b.rank() == 3 ? b[1] : a[-1]);
}

}  // namespace

int64_t NodeFlops(const Graph& graph, ValueId id) {
  const Node& node = graph.node(id);
  switch (node.op) {
    case Op::kConv2d:
    case Op::kConvTemporal:
      // Each output token takes the whole kernel, taps on padding counted.
      return Twice(DimsOf(node.shape).tokens(), graph.shape(node.inputs[1]).elements());
    case Op::kLinear:
      return Twice(DimsOf(graph.shape(node.inputs[0])).tokens(), graph.shape(node.inputs[1]).elements());
    case Op::kAttention:
      return AttentionFlops(graph, node);
    case Op::kWeightProduct:
      return WeightProductFlops(graph.shape(node.inputs[0]), graph.shape(node.inputs[1]), node.shape);
    case Op::kInput:
    case Op::kWeight:
    case Op::kFrameIndices:
    case Op::kGroupNorm:
    case Op::kLayerNorm:
    case Op::kActivation:
    case Op::kGeglu:
    case Op::kAffine:
    case Op::kAdd:
    case Op::kMultiply:
    case Op::kBlend:
    case Op::kConcat:
    case Op::kSlice:
    case Op::kExpand:
    case Op::kReshape:
    case Op::kResizeNearest:
    case Op::kMaxPool:
    case Op::kWarp:
    case Op::kTimestep:
      return 0;
  }
  MVD_CHECK(false, "unknown op");
  return 0;
}

}  // namespace mvd
