// What Load makes of a graph: steps that run in order on fixed addresses of one arena.
#pragma once

#include <functional>
#include <map>
#include <vector>

#include "mvd/cpu/isa.h"
#include "mvd/exec/executor.h"
#include "mvd/ir/graph.h"

namespace mvd::cpu {

// A node made ready: everything it needs is captured, nothing is allocated when it runs.
struct Step {
  ValueId node = kNoValue;
  std::function<void()> run;
};

// Scratch shared by all steps; grown while steps are made, allocated once before the first run.
class Scratch {
 public:
  // Reserves `bytes` for each thread in this step; nothing of one step's scratch outlives the step.
  void Need(int64_t bytes_per_thread) { bytes_ = std::max(bytes_, (bytes_per_thread + 63) / 64 * 64); }
  int64_t bytes_per_thread() const { return bytes_; }
  void Allocate(int threads) { memory_ = Tensor({bytes_ * threads}, DType::kU8); }
  void* At(int thread) const {
    return static_cast<char*>(const_cast<void*>(memory_.data())) + bytes_ * thread;
  }

 private:
  int64_t bytes_ = 0;
  Tensor memory_;
};

// Everything step makers read. Addresses hold for the life of the executor.
struct Program {
  Graph graph;
  ExecOptions options;
  const IsaLevel* isa = nullptr;
  std::vector<DType> types;
  std::vector<char*> address;           // of each value in the arena or in `constants`; null for weights
  std::map<ValueId, Tensor> constants;  // values of phase load, f32
  WeightSource* weights = nullptr;      // only while loading
  int64_t weight_bytes = 0;             // packed so far
  Scratch scratch;

  const kernels::KernelTable& table() const { return isa->kernels(); }
  const Node& node(ValueId id) const { return graph.node(id); }
  Dims dims(ValueId id) const { return DimsOf(graph.shape(id)); }
  DType type(ValueId id) const { return types[size_t(id)]; }
  template <class E>
  E* at(ValueId id) const {
    return reinterpret_cast<E*>(address[size_t(id)]);
  }
  // A weight, or a value computed from weights alone, as f32.
  Tensor ConstantF32(ValueId id);
};

// Makers, by family. Each returns the step of one node of a lowered graph (lower.h).
Step MakeLinear(Program& program, ValueId id);  // Linear, and Conv2d with a 1x1 kernel
Step MakeConv(Program& program, ValueId id);    // Conv2d, ConvTemporal
Step MakeNorm(Program& program, ValueId id);    // GroupNorm, LayerNorm
Step MakeAttention(Program& program, ValueId id);
Step MakePointwise(Program& program,
                   ValueId id);  // Activation, Geglu, Affine, Add, Blend, Timestep, FrameIndices
Step MakeRearrange(Program& program, ValueId id);  // Concat, Slice, Expand, Reshape, ResizeNearest, MaxPool
Step MakeWarp(Program& program, ValueId id);
Step MakeMultiply(Program& program, ValueId id);
// Any op by the reference's definition, slowly: for shapes that no model has. Allocates while it runs.
Step MakeByReference(Program& program, ValueId id);

// Rows of work an item gets: fixed by the shape alone, so that results do not depend on the number of
// threads.
inline constexpr int64_t kElementsPerItem = 1 << 16;

// Runs body(first, count) over [0, n) in pieces of at most `piece`.
template <class F>
void ForPieces(const Program& program, int64_t n, int64_t piece, F body) {
  ParallelFor(program.options.threads, (n + piece - 1) / piece,
              [&](int64_t i, int thread) { body(i * piece, std::min(piece, n - i * piece), thread); });
}

// Calls f(E{}) with the element type: float or kernels::BF16Bits.
template <class F>
decltype(auto) WithType(DType dtype, F f) {
  MVD_CHECK(dtype == DType::kF32 || dtype == DType::kBF16, "no kernels for ", Name(dtype));
  if (dtype == DType::kF32) return f(float{});
  return f(kernels::BF16Bits{});
}

// The same for an input and an output: equal types, or f32 narrowed to bf16.
template <class F>
decltype(auto) WithTypes(DType in, DType out, F f) {
  MVD_CHECK(in == out || in == DType::kF32, "no kernels from ", Name(in), " to ", Name(out));
  if (in == out) return WithType(out, [&]<class E>(E e) { return f(e, e); });
  return f(float{}, kernels::BF16Bits{});
}

// The kernel of equal types or the narrowing one, whichever takes E and gives O.
template <class E, class O, class Same, class Narrowing>
auto Choose(Same same, Narrowing narrowing) {
  if constexpr (std::is_same_v<E, O>)
    return same;
  else
    return narrowing;
}

kernels::Activation KernelActivation(Act act);

}  // namespace mvd::cpu
