#include "mvd/ir/arena.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "mvd/base/check.h"

namespace mvd {
namespace {

bool IsCallers(Op op) { return op == Op::kInput || op == Op::kWeight; }

// Whose bytes each value is, and how long they are needed.
void FindLifetimes(const Graph& graph, MemoryLayout& layout) {
  const ValueId end = ValueId(graph.nodes.size()) - 1;
  layout.storage.resize(graph.nodes.size());
  layout.lifetime.resize(graph.nodes.size());
  for (ValueId id = 0; id <= end; ++id) {
    const Node& node = graph.node(id);
    layout.storage[size_t(id)] = node.op == Op::kReshape ? layout.storage[size_t(node.inputs[0])] : id;
    layout.lifetime[size_t(id)] = {id, id};
    for (ValueId input : node.inputs) {
      if (input == kNoValue) continue;
      const ValueId root = layout.storage[size_t(input)];
      Lifetime& life = layout.lifetime[size_t(root)];
      life.last = std::max(life.last, id);
      if (graph.node(root).phase < node.phase) life = {0, end};
    }
  }
  for (const Output& output : graph.outputs) {
    const ValueId root = layout.storage[size_t(output.value)];
    Lifetime& life = layout.lifetime[size_t(root)];
    life.last = end;
    if (graph.node(root).phase != Phase::kStep) life.first = 0;  // not made again with each call
  }
  for (ValueId id = 0; id <= end; ++id) {
    layout.lifetime[size_t(id)] = layout.lifetime[size_t(layout.storage[size_t(id)])];
  }
}

bool Overlap(const Lifetime& a, const Lifetime& b) { return a.first <= b.last && b.first <= a.last; }

struct Block {
  ValueId id = kNoValue;
  int64_t bytes = 0, offset = 0;
};

// The offset of the tightest hole between blocks alive at the same time; behind them all where none fits.
// `placed` is ordered by offset.
int64_t BestFit(const MemoryLayout& layout, const std::vector<Block>& placed, const Block& block) {
  const Lifetime& life = layout.lifetime[size_t(block.id)];
  int64_t best = -1, best_hole = std::numeric_limits<int64_t>::max(), top = 0;
  for (const Block& other : placed) {
    if (!Overlap(life, layout.lifetime[size_t(other.id)])) continue;
    const int64_t hole = other.offset - top;
    if (hole >= block.bytes && hole < best_hole) {
      best = top;
      best_hole = hole;
    }
    top = std::max(top, other.offset + other.bytes);
  }
  return best >= 0 ? best : top;
}

int64_t MostAlive(const MemoryLayout& layout, const std::vector<Block>& blocks) {
  std::vector<int64_t> change(layout.storage.size() + 1, 0);
  for (const Block& block : blocks) {
    const Lifetime& life = layout.lifetime[size_t(block.id)];
    change[size_t(life.first)] += block.bytes;
    change[size_t(life.last) + 1] -= block.bytes;
  }
  int64_t alive = 0, most = 0;
  for (int64_t delta : change) most = std::max(most, alive += delta);
  return most;
}

}  // namespace

MemoryLayout PlanArena(const Graph& graph, const std::function<int64_t(ValueId)>& bytes_of,
                       int64_t alignment) {
  MVD_CHECK_GE(alignment, 1);
  MemoryLayout layout;
  FindLifetimes(graph, layout);
  layout.offset.assign(graph.nodes.size(), kNotInArena);

  std::vector<Block> blocks;
  for (ValueId id = 0; size_t(id) < graph.nodes.size(); ++id) {
    if (layout.storage[size_t(id)] != id || IsCallers(graph.node(id).op)) continue;
    const int64_t bytes = bytes_of(id);
    MVD_CHECK_GE(bytes, 0);
    if (bytes > 0) blocks.push_back({id, (bytes + alignment - 1) / alignment * alignment, 0});
  }
  layout.lower_bound = MostAlive(layout, blocks);

  std::stable_sort(blocks.begin(), blocks.end(),
                   [](const Block& a, const Block& b) { return a.bytes > b.bytes; });
  std::vector<Block> placed;
  for (Block& block : blocks) {
    block.offset = BestFit(layout, placed, block);
    layout.offset[size_t(block.id)] = block.offset;
    layout.arena_bytes = std::max(layout.arena_bytes, block.offset + block.bytes);
    const auto behind = std::upper_bound(placed.begin(), placed.end(), block,
                                         [](const Block& a, const Block& b) { return a.offset < b.offset; });
    placed.insert(behind, block);
  }
  for (size_t i = 0; i < layout.offset.size(); ++i) {
    layout.offset[i] = layout.offset[size_t(layout.storage[i])];
  }
  return layout;
}

}  // namespace mvd
