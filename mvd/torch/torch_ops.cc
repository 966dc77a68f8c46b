#include "mvd/torch/torch_ops.h"

#include "mvd/base/check.h"

namespace mvd::torch_ops {
namespace {

// A switch without a default: an op that is not handled does not compile.
at::Tensor Dispatch(const Context& context, const Node& node, const Inputs& in) {
  switch (node.op) {
    case Op::kInput:
    case Op::kWeight:
      break;
    case Op::kConv2d:
      return Conv2d(context, node, in);
    case Op::kConvTemporal:
      return ConvTemporal(context, node, in);
    case Op::kLinear:
      return Linear(context, node, in);
    case Op::kWeightProduct:
      return WeightProduct(node, in);
    case Op::kGroupNorm:
      return GroupNorm(context, node, in);
    case Op::kLayerNorm:
      return LayerNorm(context, node, in);
    case Op::kAttention:
      return Attention(context, node, in);
    case Op::kFrameIndices:
    case Op::kActivation:
    case Op::kGeglu:
    case Op::kAffine:
    case Op::kAdd:
    case Op::kMultiply:
    case Op::kBlend:
    case Op::kTimestep:
      return Pointwise(context, node, in);
    case Op::kConcat:
    case Op::kSlice:
    case Op::kExpand:
    case Op::kReshape:
    case Op::kResizeNearest:
    case Op::kMaxPool:
      return Rearrange(node, in);
    case Op::kWarp:
      return Warp(context, node, in);
  }
  MVD_CHECK(false, node.name, ": ", Name(node.op), " is not computed");
  return {};
}

}  // namespace

at::Tensor Evaluate(const Context& context, const Node& node, const Inputs& in) {
  at::Tensor value = Dispatch(context, node, in);
  MVD_CHECK(value.sizes() == at::IntArrayRef(node.shape.dims()), node.name, " (", Name(node.op),
            ") has another shape than ", node.shape);
  return value;
}

std::vector<at::ScalarType> WeightTypes(const Context& context, const Graph& graph) {
  std::vector<at::ScalarType> types(graph.nodes.size(), context.wide());
  std::vector<bool> also_read(graph.nodes.size(), false);
  for (const Node& node : graph.nodes) {
    const bool layer = node.op == Op::kConv2d || node.op == Op::kConvTemporal || node.op == Op::kLinear;
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      if (node.inputs[i] == kNoValue) continue;
      const size_t id = size_t(node.inputs[i]);
      if (layer && i == 1) {
        types[id] = ProductType(context, graph.nodes[id].shape[0], graph.nodes[id].shape[1]);
      } else {
        also_read[id] = true;
      }
    }
  }
  for (size_t id = 0; id < types.size(); ++id) {
    if (also_read[id]) types[id] = context.wide();
  }
  return types;
}

bool HasOneKey(const Graph& graph, const Node& attention) {
  if (attention.op != Op::kAttention) return false;
  const Dims k = DimsOf(graph.shape(attention.inputs[1]));
  return (attention.as<AttentionAttrs>().axis == Axis::kSpatial ? k.h * k.w : k.t) == 1;
}

at::Tensor As5(const at::Tensor& x) {
  at::Tensor y = x;
  while (y.dim() < 5) y = y.unsqueeze(0);
  return y;
}

}  // namespace mvd::torch_ops
