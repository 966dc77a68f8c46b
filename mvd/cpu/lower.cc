#include "mvd/cpu/lower.h"

#include <map>
#include <optional>

namespace mvd::cpu {
namespace {

bool IsConstant(const Node& node) { return node.op == Op::kWeight || node.phase == Phase::kLoad; }

bool IsMatmul(Op op) { return op == Op::kLinear || op == Op::kConv2d || op == Op::kConvTemporal; }

// One vector for each frame at most: what embeddings are.
bool IsVector(const Shape& shape) {
  const Dims d = DimsOf(shape);
  return d.h * d.w == 1;
}

// Ops by which vectors are made from vectors.
bool MakesVectors(Op op) {
  switch (op) {
    case Op::kLinear:
    case Op::kActivation:
    case Op::kAdd:
    case Op::kAffine:
      return true;
    default:
      return false;
  }
}

// Where sums that run through the whole network are read: a rounding there would add to all that came before.
bool ReadsStream(const Node& node, size_t i) {
  if (node.op == Op::kBlend || node.op == Op::kAdd) return i < 2;
  return IsMatmul(node.op) && i == 3;
}

bool MakesStream(Op op) { return IsMatmul(op) || op == Op::kBlend || op == Op::kAdd; }

std::vector<DType> ChooseTypes(const Graph& graph, DType dtype) {
  std::vector<DType> types(graph.nodes.size(), dtype);
  std::vector<bool> stream(graph.nodes.size(), false);
  for (const Node& node : graph.nodes) {
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      if (node.inputs[i] != kNoValue && ReadsStream(node, i)) stream[size_t(node.inputs[i])] = true;
    }
  }
  const std::vector<int> uses = CountUses(graph);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    // Where a picture is read must be exact to a part of a pixel.
    bool f32 = IsConstant(node) || node.op == Op::kMultiply || node.op == Op::kWarp ||
               node.op == Op::kTimestep || node.op == Op::kFrameIndices;
    f32 = f32 || (stream[i] && MakesStream(node.op));
    if (node.op == Op::kInput) f32 = IsVector(node.shape) && DimsOf(node.shape).t == 1;
    if (MakesVectors(node.op) && IsVector(node.shape)) {
      bool all = true;
      for (ValueId input : node.inputs)
        all = all && (input == kNoValue || types[size_t(input)] == DType::kF32);
      f32 = f32 || all;
    }
    types[i] = f32 ? DType::kF32 : dtype;
    if (node.op == Op::kReshape) types[i] = types[size_t(node.inputs[0])];  // a view has its source's bytes
  }
  for (const Output& output : graph.outputs) {
    const size_t i = size_t(output.value);
    if (IsMatmul(graph.nodes[i].op) && uses[i] == 1) types[i] = DType::kF32;
  }
  return types;
}

// The type in which `node`, whose output has type `out`, must read an input of type `in`; nothing where any
// will do.
std::optional<DType> Required(const Graph& graph, const Node& node, size_t i, DType in, DType out,
                              DType dtype) {
  const Node& source = graph.node(node.inputs[i]);
  switch (node.op) {
    case Op::kConv2d:
    case Op::kConvTemporal:
    case Op::kLinear:
      if (i == 1 || i == 3)
        return std::nullopt;  // the weight is packed by the step; a residual has its own type
      if (i == 2) return DType::kF32;
      if (out != DType::kF32) return out;
      // f32 sums of either type. A source that is f32 only for being part of the stream is a full-sized
      // tensor.
      return IsVector(source.shape) ? in : dtype;
    case Op::kGroupNorm:
    case Op::kLayerNorm:
    case Op::kActivation:  // equal types, or f32 narrowed on the way
      return i > 0 || in == DType::kF32 ? std::nullopt : std::optional(out);
    case Op::kBlend:  // both branches of one type, f32 if either is; a gate is one number
      return i != 2 ? std::optional(DType::kF32) : std::nullopt;
    case Op::kAdd:
      return source.shape.elements() == node.shape.elements() ? std::optional(out) : std::nullopt;
    case Op::kTimestep:
      return DType::kF32;
    case Op::kAttention:
    case Op::kGeglu:
      return out;
    case Op::kMultiply:
    case Op::kWarp:
      return DType::kF32;
    case Op::kConcat:
    case Op::kSlice:  // copies convert
    case Op::kAffine:
    case Op::kExpand:
    case Op::kReshape:
    case Op::kResizeNearest:
    case Op::kMaxPool:
    case Op::kInput:
    case Op::kWeight:
    case Op::kFrameIndices:
    case Op::kWeightProduct:
      return std::nullopt;
  }
  return std::nullopt;
}

class Lowering {
 public:
  Lowering(const Graph& graph, DType dtype)
      : graph_(graph), dtype_(dtype), types_(ChooseTypes(graph, dtype)) {}

  Lowered Run() {
    result_.graph.name = graph_.name;
    for (size_t i = 0; i < graph_.nodes.size(); ++i) {
      Node node = graph_.nodes[i];
      for (size_t k = 0; k < node.inputs.size(); ++k) {
        if (node.inputs[k] != kNoValue) node.inputs[k] = InputOf(graph_.nodes[i], types_[i], k);
      }
      moved_.push_back(Push(std::move(node), types_[i]));
    }
    for (const Output& output : graph_.outputs) {
      result_.graph.outputs.push_back({output.name, moved_[size_t(output.value)]});
    }
    return std::move(result_);
  }

 private:
  ValueId Push(Node node, DType type) {
    result_.graph.nodes.push_back(std::move(node));
    result_.types.push_back(type);
    return ValueId(result_.graph.nodes.size() - 1);
  }

  ValueId InputOf(const Node& node, DType out, size_t k) {
    const ValueId old = node.inputs[k], now = moved_[size_t(old)];
    const DType in = types_[size_t(old)];
    const auto required =
        node.phase == Phase::kLoad ? std::nullopt : Required(graph_, node, k, in, out, dtype_);
    if (!required || *required == in) return now;
    const auto key = std::pair(now, *required);
    if (const auto found = casts_.find(key); found != casts_.end()) return found->second;
    const Node& source = graph_.node(old);
    const Dims d = DimsOf(source.shape);
    Node cast{.op = Op::kAffine,
              .inputs = {now},
              .attrs = AffineAttrs{},
              .shape = {d.b, d.t, d.h, d.w, d.c},
              .name = source.name + "/" + std::string(Name(*required)),
              .phase = source.phase == Phase::kLoad ? Phase::kClip : source.phase};
    return casts_[key] = Push(std::move(cast), *required);
  }

  const Graph& graph_;
  DType dtype_;
  std::vector<DType> types_;
  Lowered result_;
  std::vector<ValueId> moved_;
  std::map<std::pair<ValueId, DType>, ValueId> casts_;
};

}  // namespace

Lowered Lower(const Graph& graph, DType dtype) { return Lowering(graph, dtype).Run(); }

}  // namespace mvd::cpu
