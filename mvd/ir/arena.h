// Where each value of a graph lives in one block of memory, planned before anything runs.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "mvd/ir/graph.h"

namespace mvd {

// The steps (node indices) during which bytes must stay as they are. Both ends are included, because a
// node's inputs and its output are alive at the same time.
struct Lifetime {
  ValueId first = 0;
  ValueId last = 0;
};

inline constexpr int64_t kNotInArena = -1;

struct MemoryLayout {
  std::vector<int64_t> offset;     // of each value; kNotInArena where the arena does not hold it
  std::vector<ValueId> storage;    // the value that owns the bytes: itself, or a Reshape's input
  std::vector<Lifetime> lifetime;  // of the storage, all its aliases included
  int64_t arena_bytes = 0;
  int64_t lower_bound = 0;  // the most bytes alive at one step: no layout is smaller
};

// Greedy best fit, largest value first. `bytes_of` gives the size of each value that owns its bytes; 0: it
// needs none here (a weight that is packed elsewhere). Offsets and sizes are multiples of `alignment`.
//   - Inputs and weights are the caller's memory and never in the arena.
//   - A Reshape shares the bytes of its input.
//   - Graph outputs live to the end.
//   - A value of phase load or clip that a later phase reads lives throughout. One that only its own phase
//     reads lives like any other value, because the nodes of a phase run in order.
MemoryLayout PlanArena(const Graph& graph, const std::function<int64_t(ValueId)>& bytes_of,
                       int64_t alignment = 64);

}  // namespace mvd
