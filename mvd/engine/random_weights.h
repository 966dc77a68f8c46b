// Seeded random weights for a graph: every tensor is a function of (seed, name, shape), made when it is asked
// for, so a model of any size needs the memory of its largest tensor.
#pragma once

#include <map>
#include <string>

#include "mvd/base/parallel.h"
#include "mvd/base/weight_source.h"
#include "mvd/ir/graph.h"

namespace mvd {

class RandomWeights : public WeightSource {
 public:
  // All Weight nodes of `graph`. Matrices are uniform in +-sqrt(1/fan_in) as PyTorch initialises them, gammas
  // lie round 1, biases and mix factors round 0: signals keep their size through hundreds of layers.
  RandomWeights(const Graph& graph, uint64_t seed, DType dtype, const Threads& threads);

  std::string Origin() const override { return "random weights"; }
  std::optional<TensorInfo> Find(const std::string& name) const override;
  TensorView Get(const std::string& name) override;
  void Release(const std::string& name) override { held_.erase(name); }

  const std::map<std::string, TensorInfo>& tensors() const { return tensors_; }

 private:
  std::map<std::string, TensorInfo> tensors_;
  std::map<std::string, Tensor> held_;
  uint64_t seed_;
  Threads threads_;
};

}  // namespace mvd
