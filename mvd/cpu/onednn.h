// The few words of oneDNN that linears and convolutions share: types, post-ops, packed weights.
#pragma once

#include <dnnl.hpp>

#include "mvd/cpu/program.h"

namespace mvd::cpu {

// Process-wide by oneDNN's own design: an engine is the CPU.
dnnl::engine& Engine();
dnnl::memory::data_type DnnlType(DType dtype);

// + residual, then act: the order that ops.def states. The residual is a second input of the output's shape
// and type.
dnnl::post_ops Epilogue(Act act, const dnnl::memory::desc* residual);
void AppendActivation(dnnl::post_ops& ops, Act act);

// Packs f32 or bf16 weights `data` of layout `plain` into `packed`.
dnnl::memory Pack(const TensorView& data, const dnnl::memory::desc& plain, const dnnl::memory::desc& packed);

// A weight's data with the element type that packing reads (f32 or bf16), aligned; copies only where it must.
struct Aligned {
  TensorView view;
  Tensor copy;
};
Aligned AlignWeight(const TensorView& view);
// A layer's weight, of the file or computed from weights; its memory in the file is let go by ReleaseWeight.
Aligned TakeWeight(Program& program, ValueId id);
void ReleaseWeight(Program& program, ValueId id);

// Bias as oneDNN takes it: f32, (O) for all items or (B,O).
struct Bias {
  Tensor constant;  // empty where absent or computed
  const float* data = nullptr;
  bool per_item = false;
};
Bias MakeBias(Program& program, ValueId id, int64_t channels);

}  // namespace mvd::cpu
