// The runner: order, leaving out, reporting, and the toolkit's guarantees.
#include <gtest/gtest.h>

#include <set>

#include "mvd/base/error.h"
#include "mvd/ir/builder.h"
#include "mvd/ir/text.h"
#include "mvd/passes/passes.h"
#include "mvd/passes/rewrite.h"

namespace mvd {
namespace {

// A transformer with a context of one token, and a residual block with a time embedding, as in SVD.
Graph SmallNetwork() {
  Builder b("small");
  ValueId h = b.Input("x", {1, 2, 3, 3, 8}, Phase::kStep);
  const ValueId time = b.Input("time", {1, 1, 1, 1, 8}, Phase::kStep);
  const ValueId context = b.Input("context", {1, 1, 1, 1, 6}, Phase::kClip);
  {
    Scope block(b, "resnet");
    ValueId r = b.Activation(b.GroupNorm(h, "norm1", 2, 1e-6), Act::kSilu);
    r = b.Add(b.Conv2d(r, "conv1", 8), b.Linear(b.Activation(time, Act::kSilu), "time_emb_proj", 8));
    r = b.Activation(b.GroupNorm(r, "norm2", 2, 1e-6), Act::kSilu);
    h = b.Add(h, b.Conv2d(r, "conv2", 8));
  }
  for (const Axis axis : {Axis::kSpatial, Axis::kTemporal}) {
    Scope block(b, axis == Axis::kSpatial ? "spatial" : "temporal");
    const ValueId q = b.LayerNorm(h, "norm1", 1e-5);
    ValueId a = b.Attention(b.Linear(q, "attn1.to_q", 8, false), b.Linear(q, "attn1.to_k", 8, false),
                            b.Linear(q, "attn1.to_v", 8, false), 2, 0.5, axis);
    h = b.Add(b.Linear(a, "attn1.to_out.0", 8), h);
    const Shape keys = axis == Axis::kSpatial ? Shape{1, 2, 1, 1, 6} : Shape{1, 1, 3, 3, 6};
    const ValueId c = b.Expand(context, keys);
    a = b.Attention(b.Linear(b.LayerNorm(h, "norm2", 1e-5), "attn2.to_q", 8, false),
                    b.Linear(c, "attn2.to_k", 8, false), b.Linear(c, "attn2.to_v", 8, false), 2, 0.5, axis);
    h = b.Add(b.Linear(a, "attn2.to_out.0", 8), h);
    const ValueId f = b.Geglu(b.Linear(b.LayerNorm(h, "norm3", 1e-5), "ff.net.0.proj", 64));
    h = b.Add(b.Linear(f, "ff.net.2", 8), h);
  }
  b.Output("y", h);
  return b.Finish();
}

TEST(RunPassesTest, RunsAllInOrderAndReports) {
  Graph graph = SmallNetwork();
  const int64_t before = int64_t(graph.nodes.size());
  const PassReport report = RunPasses(graph);
  ASSERT_EQ(report.entries.size(), std::size(kPasses));
  for (size_t i = 0; i < std::size(kPasses); ++i) {
    EXPECT_EQ(report.entries[i].name, kPasses[i].name);
    EXPECT_GE(report.entries[i].seconds, 0);
  }
  EXPECT_EQ(report.entries.front().nodes_before, before);
  EXPECT_EQ(report.entries.back().nodes_after, int64_t(graph.nodes.size()));
  EXPECT_TRUE(report.changed());
}

TEST(RunPassesTest, LeavesNothingToFuseInANetworkLikeSvd) {
  Graph graph = SmallNetwork();
  RunPasses(graph);
  std::set<std::string_view> steps;  // ops of every call
  for (const Node& node : graph.nodes) {
    if (node.phase == Phase::kStep) steps.insert(Name(node.op));
  }
  // What stays beside layers, norms and attention: silu of the time embedding, and its sum with a bias.
  EXPECT_EQ(steps, std::set<std::string_view>({"Input", "Conv2d", "Linear", "GroupNorm", "LayerNorm",
                                               "Attention", "Activation", "Add"}))
      << Print(graph);
  int adds = 0;
  for (const Node& node : graph.nodes) adds += node.op == Op::kAdd && node.phase == Phase::kStep;
  EXPECT_EQ(adds, 1) << Print(graph);
  const Node& vector = graph.node(graph.Find("spatial.attn2.to_out.0"));
  EXPECT_EQ(vector.shape, Shape({1, 1, 1, 1, 8}));
  EXPECT_EQ(vector.phase, Phase::kClip);
  EXPECT_EQ(graph.node(graph.Find("temporal.attn2.to_out.0.weight_product")).phase, Phase::kLoad);
  EXPECT_EQ(graph.Find("spatial.attn2.to_q"), kNoValue);
  EXPECT_EQ(graph.Find("spatial.norm2"), kNoValue);
}

TEST(RunPassesTest, ASecondRunChangesNothing) {
  Graph graph = SmallNetwork();
  RunPasses(graph);
  const std::string text = Print(graph);
  for (const PassReport::Entry& entry : RunPasses(graph).entries) EXPECT_FALSE(entry.changed) << entry.name;
  EXPECT_EQ(Print(graph), text);
}

TEST(RunPassesTest, SkipAndOnly) {
  for (const Pass& pass : kPasses) {
    Graph graph = SmallNetwork();
    const std::string untouched = Print(graph);
    for (const auto& entry : RunPasses(graph, {.skip = {std::string(pass.name)}}).entries)
      EXPECT_NE(entry.name, pass.name);
    Graph alone = SmallNetwork(), by_hand = SmallNetwork();
    const PassReport report = RunPasses(alone, {.only = {std::string(pass.name)}});
    ASSERT_EQ(report.entries.size(), 1u);
    EXPECT_EQ(report.entries[0].changed, pass.run(by_hand));
    EXPECT_EQ(Print(alone), Print(by_hand));
    EXPECT_EQ(report.entries[0].changed, Print(alone) != untouched);
  }
}

TEST(RunPassesTest, UnknownNamesAreUsageErrors) {
  for (const bool skip : {true, false}) {
    Graph graph = SmallNetwork();
    const std::string before = Print(graph);
    PassOptions options;
    (skip ? options.skip : options.only) = {"dead_code", "fuse_everything"};
    try {
      RunPasses(graph, options);
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(error.exit(), Exit::kUsage);
      EXPECT_NE(std::string(error.what()).find("'fuse_everything'"), std::string::npos);
      for (const Pass& pass : kPasses) {
        EXPECT_NE(std::string(error.what()).find(pass.name), std::string::npos);
      }
    }
    EXPECT_EQ(Print(graph), before);  // found out before anything ran
  }
}

TEST(RunPassesTest, ObserverSeesBeforeAndAfter) {
  Graph graph = SmallNetwork();
  std::vector<std::string> heard;
  PassOptions options{.only = {"dead_code", "fuse_geglu"}};
  options.observer = [&](const Pass& pass, bool after, const Graph& seen) {
    heard.push_back(std::string(pass.name) + (after ? " after" : " before"));
    const bool has_geglu = seen.Find("spatial.geglu") != kNoValue;
    EXPECT_EQ(has_geglu, heard.back() != "fuse_geglu after");
  };
  RunPasses(graph, options);
  EXPECT_EQ(heard, std::vector<std::string>(
                       {"dead_code before", "dead_code after", "fuse_geglu before", "fuse_geglu after"}));
}

TEST(RewriterTest, NamesStayUniqueAndCyclesAreFound) {
  Graph graph = Parse("x = Input {shape=(1,1,1,1,4)}\ny = Activation(x)\nz = Activation(y)\noutput z = z\n");
  Rewriter rewriter(graph);
  const ValueId more = rewriter.Append(Op::kActivation, "y", {1}, ActivationAttrs{}, Phase::kStep);
  EXPECT_EQ(graph.node(more).name, "y#2");
  EXPECT_FALSE(rewriter.UsedOnce(1));
  rewriter.SetInputs(2, {more});
  EXPECT_TRUE(rewriter.UsedOnce(1));
  rewriter.SetInputs(1, {2});
  EXPECT_THROW(rewriter.Finish(), InternalError);
}

TEST(RewriterTest, RaisesPhases) {
  Graph graph = Parse(
      "x = Input {shape=(1,1,1,1,4)}\nc = Input {shape=(1,1,1,1,4), phase=clip}\n"
      "y = Activation(c) @clip\nz = Activation(y) @clip\noutput z = z\n");
  Rewriter rewriter(graph);
  rewriter.SetInputs(2, {0});
  EXPECT_TRUE(rewriter.Finish());
  EXPECT_NO_THROW(Verify(graph));
  EXPECT_EQ(graph.node(graph.Find("z")).phase, Phase::kStep);
}

}  // namespace
}  // namespace mvd
