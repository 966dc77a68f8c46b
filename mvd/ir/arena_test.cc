// Properties of the planner: nothing that lives at the same time overlaps, on random graphs of all kinds.
#include "mvd/ir/arena.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "mvd/ir/text.h"

namespace mvd {
namespace {

int64_t BytesOf(const Graph& graph, ValueId id) { return 4 * graph.shape(id).elements(); }

MemoryLayout PlanF32(const Graph& graph, int64_t alignment = 64) {
  return PlanArena(
      graph, [&](ValueId id) { return BytesOf(graph, id); }, alignment);
}

// A graph of adds, resizes and reshapes with long skips, several outputs, and clip values.
Graph RandomGraph(std::mt19937& random, int nodes) {
  const auto below = [&](int64_t n) { return int64_t(random() % uint64_t(n)); };
  std::string text = "n0 = Input {shape=(1,1,3,5,4)}\nn1 = Input {shape=(1,2,1,1,3), phase=clip}\n";
  Graph graph = Parse(text + "output y = n0\n");
  graph.outputs.clear();
  for (int i = 2; i < nodes; ++i) {
    const ValueId input =
        below(2) ? ValueId(graph.nodes.size() - 1) : ValueId(below(int64_t(graph.nodes.size())));
    Node node;
    const Dims d = DimsOf(graph.shape(input));
    switch (below(4)) {
      case 0:
        node = {.op = Op::kReshape,
                .inputs = {input},
                .attrs = ShapeAttrs{.shape = {d.b, d.h, d.w, d.t, d.c}},
                .shape = {},
                .name = {}};
        break;
      case 1:
        node = {.op = Op::kResizeNearest,
                .inputs = {input},
                .attrs = ResizeAttrs{.frames = 1 + below(3), .height = 1 + below(9), .width = 1 + below(9)},
                .shape = {},
                .name = {}};
        break;
      case 2:
        node = {.op = Op::kAdd, .inputs = {input, input}, .attrs = NoAttrs{}, .shape = {}, .name = {}};
        for (int tries = 0; tries < 8; ++tries) {
          const ValueId other = ValueId(below(int64_t(graph.nodes.size())));
          if (graph.shape(other) == graph.shape(input)) node.inputs[1] = other;
        }
        break;
      default:
        node = {
            .op = Op::kActivation, .inputs = {input}, .attrs = ActivationAttrs{}, .shape = {}, .name = {}};
    }
    node.name = "n" + std::to_string(i);
    std::vector<Shape> shapes;
    node.phase = Phase::kLoad;
    for (ValueId in : node.inputs) {
      shapes.push_back(graph.shape(in));
      node.phase = std::max(node.phase, graph.node(in).phase);
    }
    node.shape = InferShape(node, shapes);
    graph.nodes.push_back(node);
  }
  graph.outputs.push_back({"y", ValueId(graph.nodes.size() - 1)});
  graph.outputs.push_back({"z", ValueId(below(int64_t(graph.nodes.size())))});
  Verify(graph);
  return graph;
}

// Runs the graph on an arena of owners: each byte range remembers who wrote it last. What a node reads must
// still be there, in the first call and in a second one that does not compute clip values again.
void ExpectValuesSurvive(const Graph& graph, const MemoryLayout& layout) {
  std::vector<ValueId> owner(size_t(layout.arena_bytes), kNoValue);
  const auto expect_owned = [&](ValueId value) {
    const ValueId root = layout.storage[size_t(value)];
    if (layout.offset[size_t(root)] == kNotInArena) return;
    const auto begin = owner.begin() + layout.offset[size_t(root)];
    const auto end = begin + BytesOf(graph, root);
    ASSERT_TRUE(std::all_of(begin, end, [&](ValueId o) { return o == root; })) << graph.node(value).name;
  };
  for (const bool new_clip : {true, false}) {
    for (ValueId id = 0; size_t(id) < graph.nodes.size(); ++id) {
      if (!new_clip && graph.node(id).phase != Phase::kStep) continue;
      const bool writes = layout.storage[size_t(id)] == id && layout.offset[size_t(id)] != kNotInArena;
      if (writes) {
        const auto begin = owner.begin() + layout.offset[size_t(id)];
        std::fill(begin, begin + BytesOf(graph, id), id);
      }
      for (ValueId input : graph.node(id).inputs) expect_owned(input);  // behind the write: not in place
    }
    for (const Output& output : graph.outputs) expect_owned(output.value);
  }
}

TEST(ArenaTest, ValuesSurviveUntilTheirLastUse) {
  std::mt19937 random(20260801);
  double worst = 1, sum = 0;
  const int kGraphs = 200;
  for (int i = 0; i < kGraphs; ++i) {
    const Graph graph = RandomGraph(random, 5 + i);
    const int64_t alignment = i % 3 == 0 ? 1 : i % 3 == 1 ? 64 : 24;
    const MemoryLayout layout = PlanF32(graph, alignment);
    for (int64_t offset : layout.offset) EXPECT_TRUE(offset == kNotInArena || offset % alignment == 0);
    EXPECT_GE(layout.arena_bytes, layout.lower_bound);
    ExpectValuesSurvive(graph, layout);
    if (HasFatalFailure()) return;
    const double ratio =
        layout.lower_bound > 0 ? double(layout.arena_bytes) / double(layout.lower_bound) : 1.0;
    worst = std::max(worst, ratio);
    sum += ratio;
  }
  RecordProperty("mean_ratio", std::to_string(sum / kGraphs));
  std::printf("arena / lower bound over %d random graphs: mean %.4f, worst %.4f\n", kGraphs, sum / kGraphs,
              worst);
  // Greedy best fit is near the bound; well above these it would be broken rather than unlucky.
  EXPECT_LT(sum / kGraphs, 1.1);
  EXPECT_LT(worst, 1.6);
}

TEST(ArenaTest, AChainNeedsTwoBuffers) {
  std::string text = "x = Input {shape=(1,1,4,4,4)}\nn0 = Activation(x)\n";
  for (int i = 1; i < 10; ++i)
    text += "n" + std::to_string(i) + " = Activation(n" + std::to_string(i - 1) + ")\n";
  const Graph graph = Parse(text + "output y = n9\n");
  const MemoryLayout layout = PlanF32(graph);
  EXPECT_EQ(layout.arena_bytes, 2 * 64 * 4);
  EXPECT_EQ(layout.lower_bound, 2 * 64 * 4);
  EXPECT_EQ(layout.offset[0], kNotInArena);
}

TEST(ArenaTest, ReshapesShareBytesAndKeepThemAlive) {
  const Graph graph = Parse(
      "x = Input {shape=(1,1,4,4,4)}\n"
      "a = Activation(x)\n"
      "view = Reshape(a) {shape=(1,4,4,1,4)}\n"
      "b = Activation(x)\n"
      "c = Activation(b)\n"
      "d = Activation(view)\n"
      "given = Reshape(x) {shape=(1,4,4,1,4)}\n"
      "output c = c\noutput d = d\noutput given = given\n");
  const MemoryLayout layout = PlanF32(graph);
  const ValueId a = graph.Find("a"), view = graph.Find("view"), d = graph.Find("d");
  EXPECT_EQ(layout.offset[size_t(a)], layout.offset[size_t(view)]);
  EXPECT_EQ(layout.storage[size_t(view)], a);
  EXPECT_EQ(layout.lifetime[size_t(a)].last, d);
  EXPECT_EQ(layout.offset[size_t(graph.Find("given"))], kNotInArena);  // the caller's bytes
  ExpectValuesSurvive(graph, layout);
}

TEST(ArenaTest, ClipValuesThatStepsReadLiveThroughout) {
  const Graph graph = Parse(
      "x = Input {shape=(1,1,4,4,4)}\n"
      "c = Input {shape=(1,1,4,4,4), phase=clip}\n"
      "s = Activation(x)\n"
      "own = Activation(c) @clip\n"
      "kept = Activation(own) @clip\n"
      "y = Add(s, kept)\n"
      "z = Activation(y)\n"
      "output z = z\n");
  const MemoryLayout layout = PlanF32(graph);
  const Lifetime kept = layout.lifetime[size_t(graph.Find("kept"))];
  EXPECT_EQ(kept.first, 0);
  EXPECT_EQ(kept.last, ValueId(graph.nodes.size()) - 1);
  EXPECT_EQ(layout.lifetime[size_t(graph.Find("own"))].last, graph.Find("kept"));
  ExpectValuesSurvive(graph, layout);
}

TEST(ArenaTest, ZeroBytesAreNotPlanned) {
  const Graph graph = Parse("x = Input {shape=(1,1,1,1,4)}\ny = Activation(x)\noutput y = y\n");
  const MemoryLayout layout = PlanArena(graph, [](ValueId) { return 0; });
  EXPECT_EQ(layout.arena_bytes, 0);
  EXPECT_EQ(layout.offset[1], kNotInArena);
}

}  // namespace
}  // namespace mvd
