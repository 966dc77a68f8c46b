#include "mvd/exec/executor.h"

namespace mvd {

TensorView GetWeight(WeightSource& weights, const Node& node) {
  const auto info = weights.Find(node.name);
  if (!info)
    ThrowBadInput(weights.Origin(), "tensor '", node.name, "' is missing, expected shape ", node.shape);
  if (info->shape != node.shape) {
    ThrowBadInput(weights.Origin(), "tensor '", node.name, "' has shape ", info->shape, ", expected ",
                  node.shape);
  }
  return weights.Get(node.name);
}

std::vector<Tensor> RunGraph(Executor& executor, const Graph& graph, std::span<const TensorView> inputs,
                             bool new_clip) {
  std::vector<Tensor> outputs;
  std::vector<MutableTensorView> views;
  for (const Output& output : graph.outputs) outputs.emplace_back(graph.shape(output.value));
  for (Tensor& output : outputs) views.push_back(output.mutable_view());
  executor.Run(inputs, views, new_clip);
  return outputs;
}

}  // namespace mvd
