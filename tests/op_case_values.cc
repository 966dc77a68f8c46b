// The values that cases leave open: seeded, the same on every machine.
#include <cmath>

#include "mvd/base/rng.h"
#include "tests/op_cases.h"

namespace mvd {
namespace {

// FNV-1a: a stream that does not depend on the platform, as std::hash may.
uint64_t Stream(const std::string& text) {
  uint64_t hash = 14695981039346656037u;
  for (unsigned char c : text) hash = (hash ^ c) * 1099511628211u;
  return hash;
}

Tensor Values(const OpCase& c, const Node& node) {
  if (const auto given = c.values.find(node.name); given != c.values.end())
    return Tensor::FromVector(node.shape, given->second);
  Tensor tensor(node.shape);
  PhiloxNormal(/*seed=*/1, Stream(c.name + "/" + node.name), 0, tensor.f32());
  if (node.op != Op::kWeight) return tensor;
  if (node.shape.rank() == 1) {
    for (float& v : tensor.f32()) v = 1 + v / 5;
  } else {
    const float scale = 1 / std::sqrt(float(node.shape.elements() / node.shape[0]));
    for (float& v : tensor.f32()) v *= scale;
  }
  return tensor;
}

}  // namespace

std::vector<Tensor> CaseInputs(const OpCase& c) {
  std::vector<Tensor> inputs;
  for (ValueId id : c.graph.All(Op::kInput)) inputs.push_back(Values(c, c.graph.node(id)));
  return inputs;
}

MapWeights CaseWeights(const OpCase& c) {
  MapWeights weights;
  for (ValueId id : c.graph.All(Op::kWeight)) weights.Set(c.graph.node(id).name, Values(c, c.graph.node(id)));
  return weights;
}

}  // namespace mvd
