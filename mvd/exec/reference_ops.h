// The reference's op families; each function fills `out`, which has the node's shape.
#pragma once

#include <cmath>
#include <vector>

#include "mvd/exec/reference.h"

namespace mvd::reference {

using Inputs = std::vector<const Tensor*>;

// Absent inputs are null; so is everything past the end.
inline const Tensor* At(const Inputs& in, size_t i) { return i < in.size() ? in[i] : nullptr; }

double Activate(Act act, double x);  // not kGeglu, which takes two numbers

void Conv2d(const Node& node, const Inputs& in, const Threads& threads, Tensor& out);
void ConvTemporal(const Node& node, const Inputs& in, const Threads& threads, Tensor& out);
void Linear(const Node& node, const Inputs& in, const Threads& threads, Tensor& out);
void WeightProduct(const Node& node, const Inputs& in, const Threads& threads, Tensor& out);
void GroupNorm(const Node& node, const Inputs& in, const Threads& threads, Tensor& out);
void LayerNorm(const Node& node, const Inputs& in, const Threads& threads, Tensor& out);
void Attention(const Node& node, const Inputs& in, const Threads& threads, Tensor& out);

// Activation, Affine, Geglu, Blend, Timestep, FrameIndices
void Pointwise(const Node& node, const Inputs& in, Tensor& out);
void Broadcast(const Node& node, const Inputs& in, Tensor& out);  // Add, Multiply, Expand
void Warp(const Inputs& in, Tensor& out);
void Rearrange(const Node& node, const Inputs& in, Tensor& out);  // Concat, Slice, Reshape, ResizeNearest

}  // namespace mvd::reference
