// 3x3 convolutions with fewer multiplications (kernels/winograd.cc): where they are chosen, what they hold.
#pragma once

#include "mvd/cpu/program.h"

namespace mvd::cpu {

// Whether Conv2d `id` of a lowered graph runs by Winograd's F(2x2,3x3), with a source of type `source`. Not
// where tiles of bf16 are multiplied (amx): there the direct convolution waits for memory.
bool UsesWinograd(const Graph& graph, ValueId id, DType source, const IsaLevel& isa);
bool UsesWinograd(const Program& program, ValueId id);
Step MakeWinograd(Program& program, ValueId id);

// What such a convolution holds, before its weights are known. Bytes of the packed weights: 16/9 of the plain
// ones. Bytes of scratch for each thread.
int64_t WinogradWeightBytes(const Graph& graph, ValueId id, DType source, const IsaLevel& isa);
int64_t WinogradScratchBytes(const Graph& graph, ValueId id, DType source, const IsaLevel& isa);

}  // namespace mvd::cpu
