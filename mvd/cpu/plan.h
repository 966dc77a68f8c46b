// What a lowered graph will hold in memory, told before any weight is read.
#pragma once

#include "mvd/cpu/isa.h"
#include "mvd/cpu/lower.h"
#include "mvd/exec/executor.h"
#include "mvd/ir/arena.h"

namespace mvd::cpu {

inline constexpr int64_t kAlignment = 64;
inline int64_t Align(int64_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

// Whether a step computes this node while the graph runs.
inline bool IsComputed(const Node& node) {
  return node.op != Op::kInput && node.op != Op::kWeight && node.phase != Phase::kLoad;
}

MemoryLayout LayOut(const Lowered& lowered);  // of computed values
int64_t InputBytes(const Lowered& lowered);   // of the inputs' converted copies, behind the arena

MemoryPlan PlanMemory(const Lowered& lowered, const IsaLevel& isa, int threads);

// Scratch for each thread that a node's step will ask for, by family, each beside its step.
int64_t LinearScratch(const Lowered& lowered, ValueId id);
int64_t AttentionScratch(const Lowered& lowered, ValueId id, const IsaLevel& isa);
int64_t ConvScratch(const Lowered& lowered, ValueId id, const IsaLevel& isa, int threads);

}  // namespace mvd::cpu
