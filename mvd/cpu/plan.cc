#include "mvd/cpu/plan.h"

#include <algorithm>

#include "mvd/base/process_memory.h"
#include "mvd/cpu/winograd.h"

namespace mvd::cpu {
namespace {

int64_t BytesOf(const Lowered& lowered, ValueId id) {
  return lowered.graph.shape(id).elements() * int64_t(SizeOf(lowered.types[size_t(id)]));
}

int64_t NodeScratch(const Lowered& lowered, ValueId id, const IsaLevel& isa, int threads) {
  switch (lowered.graph.node(id).op) {
    case Op::kLinear:
      return LinearScratch(lowered, id);
    case Op::kAttention:
      return AttentionScratch(lowered, id, isa);
    case Op::kConv2d:
    case Op::kConvTemporal:
      return ConvScratch(lowered, id, isa, threads);
    default:
      return 0;
  }
}

// A matrix is packed in the type its layer reads; vectors are f32; Winograd's form is larger than the file's.
int64_t PackedBytes(const Lowered& lowered, ValueId reader, ValueId weight, const IsaLevel& isa) {
  const Node& node = lowered.graph.node(reader);
  const Shape& shape = lowered.graph.shape(weight);
  if (shape.rank() < 2 || node.inputs[1] != weight) return 4 * shape.elements();
  const DType source = lowered.types[size_t(node.inputs[0])];
  if (UsesWinograd(lowered.graph, reader, source, isa))
    return WinogradWeightBytes(lowered.graph, reader, source, isa);
  return shape.elements() * int64_t(SizeOf(source));
}

}  // namespace

MemoryLayout LayOut(const Lowered& lowered) {
  return PlanArena(
      lowered.graph,
      [&](ValueId id) { return lowered.graph.node(id).phase == Phase::kLoad ? 0 : BytesOf(lowered, id); },
      kAlignment);
}

int64_t InputBytes(const Lowered& lowered) {
  int64_t bytes = 0;
  for (ValueId id : lowered.graph.All(Op::kInput)) bytes += Align(BytesOf(lowered, id));
  return bytes;
}

MemoryPlan PlanMemory(const Lowered& lowered, const IsaLevel& isa, int threads) {
  MemoryPlan plan;
  plan.activation_bytes = Align(LayOut(lowered).arena_bytes) + InputBytes(lowered);
  for (size_t i = 0; i < lowered.graph.nodes.size(); ++i) {
    const Node& node = lowered.graph.nodes[i];
    if (!IsComputed(node)) continue;
    for (ValueId input : node.inputs) {
      if (input == kNoValue || lowered.graph.node(input).phase != Phase::kLoad) continue;
      plan.weight_bytes += PackedBytes(lowered, ValueId(i), input, isa);
    }
  }
  // What fits no machine is not asked about further: oneDNN divides by zero on some sizes beyond int32.
  if (plan.total() > MachineBytes()) return plan;
  int64_t scratch = 0;
  for (size_t i = 0; i < lowered.graph.nodes.size(); ++i) {
    if (IsComputed(lowered.graph.nodes[i]))
      scratch = std::max(scratch, NodeScratch(lowered, ValueId(i), isa, threads));
  }
  plan.scratch_bytes = Align(scratch) * threads;
  return plan;
}

}  // namespace mvd::cpu
