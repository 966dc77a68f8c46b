// Every op of ops.def as at:: calls on (B,T,H,W,C) values: what TorchGraph and the torch executor share.
#pragma once

#include <ATen/ATen.h>

#include <algorithm>
#include <vector>

#include "mvd/ir/graph.h"

namespace mvd::torch_ops {

using Inputs = std::vector<at::Tensor>;  // undefined where an optional input is absent

// The type of matrix products and of what they make: kFloat, kBFloat16 or kDouble.
struct Context {
  at::ScalarType compute = at::kFloat;
  at::Device device = at::kCPU;

  // What norms' parameters, timesteps and outputs are kept in.
  at::ScalarType wide() const { return compute == at::kDouble ? at::kDouble : at::kFloat; }
};

// One node's value, of the node's shape, differentiable in its inputs. Input and Weight are no computation:
// InternalError. Weights may already be in the compute type.
at::Tensor Evaluate(const Context& context, const Node& node, const Inputs& in);

// What a product with a matrix (O,I,...) computes in. A network's first and last layers, of a few channels,
// cost little and round what goes in and out: they keep the wide type.
inline at::ScalarType ProductType(const Context& context, int64_t outputs, int64_t inputs) {
  return std::min(outputs, inputs) <= 8 ? context.wide() : context.compute;
}

// For each weight of the graph the type that serves all its readers: one copy in it a run.
std::vector<at::ScalarType> WeightTypes(const Context& context, const Graph& graph);

// Attention over one key gives that key's value, whatever query and key are: their nodes need not run.
bool HasOneKey(const Graph& graph, const Node& attention);

// The op families; each returns a value of the node's shape.
at::Tensor Conv2d(const Context& context, const Node& node, const Inputs& in);
at::Tensor ConvTemporal(const Context& context, const Node& node, const Inputs& in);
at::Tensor Linear(const Context& context, const Node& node, const Inputs& in);
at::Tensor WeightProduct(const Node& node, const Inputs& in);
at::Tensor GroupNorm(const Context& context, const Node& node, const Inputs& in);
at::Tensor LayerNorm(const Context& context, const Node& node, const Inputs& in);
at::Tensor Attention(const Context& context, const Node& node, const Inputs& in);
at::Tensor Pointwise(const Context& context, const Node& node, const Inputs& in);  // Activation to Timestep
at::Tensor Rearrange(const Node& node, const Inputs& in);  // Concat, Slice, Expand, Reshape, ResizeNearest
at::Tensor Warp(const Context& context, const Node& node, const Inputs& in);

// Shared by the families.
inline const at::Tensor& At(const Inputs& in, size_t i) {
  static const at::Tensor absent;
  return i < in.size() ? in[i] : absent;
}
at::Tensor Activate(Act act, const at::Tensor& x);  // kGeglu: of the two halves of the last axis
at::Tensor As5(const at::Tensor& x);                // a smaller rank, led by ones

}  // namespace mvd::torch_ops
