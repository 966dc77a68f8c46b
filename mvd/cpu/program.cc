#include "mvd/cpu/program.h"

#include "mvd/exec/reference.h"

namespace mvd::cpu {
namespace {

// Ops by which vectors are made from vectors.
bool MakesVectors(Op op) {
  switch (op) {
    case Op::kLinear:
    case Op::kActivation:
    case Op::kAdd:
    case Op::kAffine:
    case Op::kTimestep:
    case Op::kFrameIndices:
      return true;
    default:
      return false;
  }
}

bool IsVectorInput(const Node& node) {
  const Dims d = DimsOf(node.shape);
  return node.op == Op::kInput && d.t * d.h * d.w == 1;
}

}  // namespace

std::vector<DType> ChooseTypes(const Graph& graph, DType dtype) {
  std::vector<DType> types(graph.nodes.size(), dtype);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    bool f32 = node.phase == Phase::kLoad || IsVectorInput(node);
    if (MakesVectors(node.op)) {
      bool all = true;
      for (ValueId input : node.inputs)
        all = all && (input == kNoValue || types[size_t(input)] == DType::kF32);
      f32 = f32 || all;
    }
    if (f32) types[i] = DType::kF32;
    // A view has its source's bytes.
    if (node.op == Op::kReshape) types[i] = types[size_t(node.inputs[0])];
  }
  return types;
}

Tensor Program::ConstantF32(ValueId id) {
  const Node& n = node(id);
  if (const auto found = constants.find(id); found != constants.end()) return found->second.Clone();
  if (n.op == Op::kWeight) {
    Tensor tensor = ConvertTo(GetWeight(*weights, n), DType::kF32);
    weights->Release(n.name);
    return tensor;
  }
  MVD_CHECK(n.phase == Phase::kLoad, n.name, " is not constant");
  std::vector<Tensor> inputs;
  std::vector<const Tensor*> pointers;
  inputs.reserve(n.inputs.size());
  for (ValueId input : n.inputs) {
    if (input != kNoValue) inputs.push_back(ConstantF32(input));
    pointers.push_back(input == kNoValue ? nullptr : &inputs.back());
  }
  Tensor value = EvaluateNode(n, pointers, options.threads);
  constants[id] = value.Clone();
  return value;
}

}  // namespace mvd::cpu
