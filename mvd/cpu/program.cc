#include "mvd/cpu/program.h"

#include "mvd/exec/reference.h"

namespace mvd::cpu {
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

Step MakeByReference(Program& program, ValueId id) {
  return {id, [id, &program] {
            const Node& node = program.node(id);
            std::vector<Tensor> inputs;
            std::vector<const Tensor*> pointers;
            for (ValueId input : node.inputs) {
              inputs.push_back(ConvertTo(
                  {program.type(input), program.graph.shape(input), program.at<char>(input)}, DType::kF32));
            }
            for (const Tensor& input : inputs) pointers.push_back(&input);
            const Tensor value = EvaluateNode(node, pointers, program.options.threads);
            Convert(DType::kF32, value.data(), program.type(id), program.at<char>(id),
                    size_t(value.elements()));
          }};
}

}  // namespace mvd::cpu
