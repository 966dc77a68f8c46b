// FLOPs by hand for each op that has any, and that every list of parts adds up to the total.
#include "mvd/cost/cost.h"

#include <gtest/gtest.h>

#include "mvd/cost/classify.h"
#include "mvd/ir/text.h"

namespace mvd {
namespace {

int64_t FlopsOfY(const std::string& text) {
  const Graph graph = Parse(text + "\noutput y = y\n");
  return NodeFlops(graph, graph.Find("y"));
}

TEST(NodeFlopsTest, ByHand) {
  // Stride 2 on 5x7 with padding 1: 3x4 outputs; 2 items of 3 frames; 8x4 kernels of 3x3.
  EXPECT_EQ(FlopsOfY("x = Input {shape=(2,3,5,7,4)}\nw = Weight : (8,4,3,3)\nb = Weight : (8)\n"
                     "y = Conv2d(x, w, b) {stride=2, top=1, left=1, bottom=1, right=1}"),
            2LL * (2 * 3 * 3 * 4) * 8 * 4 * 9);
  EXPECT_EQ(FlopsOfY("x = Input {shape=(2,3,5,7,4)}\nw = Weight : (8,4,3,1,1)\ny = ConvTemporal(x, w)"),
            2LL * (2 * 3 * 5 * 7) * 8 * 4 * 3);
  EXPECT_EQ(FlopsOfY("x = Input {shape=(2,3,5,7,4)}\nw = Weight : (8,4)\ny = Linear(x, w) {act=geglu}"),
            2LL * (2 * 3 * 5 * 7) * 8 * 4);  // all eight outputs are computed, four are left
  EXPECT_EQ(FlopsOfY("a = Weight : (8,3)\nb = Weight : (3,5)\ny = WeightProduct(a, b)"), 2LL * 8 * 3 * 5);
  EXPECT_EQ(FlopsOfY("x = Input {shape=(2,3,5,7,4)}\ny = Activation(x)"), 0);
}

TEST(NodeFlopsTest, AttentionCountsBothMatmulsWithinGroups) {
  const std::string q = "q = Input {shape=(2,3,5,7,8)}\n";
  // 6 groups of 35 queries and 4 keys: scores over 8 channels, values of 6.
  EXPECT_EQ(FlopsOfY(q + "k = Input {shape=(2,3,2,2,8)}\nv = Input {shape=(2,3,2,2,6)}\n"
                         "y = Attention(q, k, v) {heads=2}"),
            2LL * 6 * 35 * 4 * (8 + 6));
  // 70 groups of 3 queries and 5 keys.
  EXPECT_EQ(FlopsOfY(q + "k = Input {shape=(2,5,5,7,8)}\ny = Attention(q, k, k) {axis=temporal}"),
            2LL * 70 * 3 * 5 * (8 + 8));
}

Graph Sample() {
  return Parse(
      "x = Input {shape=(1,2,4,4,8)}\n"
      "c = Input {shape=(1,1,1,1,4), phase=clip}\n"
      "conv_in.weight = Weight : (8,8,3,3)\n"
      "conv_in = Conv2d(x, conv_in.weight) {top=1, left=1, bottom=1, right=1}\n"
      "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_v.weight = Weight : (8,4)\n"
      "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_out.0.weight = Weight : (8,8)\n"
      "merged = WeightProduct(down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_out.0.weight, "
      "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_v.weight) @load\n"
      "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_out.0 = Linear(c, merged) @clip\n"
      "unused.weight = Weight : (100)\n"
      "y = Add(conv_in, down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_out.0)\n"
      "output y = y\n");
}

TEST(CountCostTest, PhasesParametersAndBytes) {
  const GraphCost cost = CountCost(Sample(), DType::kBF16);
  EXPECT_EQ(cost.StepFlops(), 2LL * 2 * 16 * 8 * 8 * 9);
  EXPECT_EQ(cost.ClipFlops(), 2LL * 8 * 4);
  EXPECT_EQ(cost.LoadFlops(), 2LL * 8 * 8 * 4);
  EXPECT_EQ(cost.CallFlops(), cost.StepFlops() + cost.ClipFlops());
  EXPECT_EQ(cost.total.parameters, 8 * 8 * 9 + 8 * 4 + 8 * 8);  // the unused weight is not counted
  EXPECT_EQ(cost.total.weight_bytes, 2 * (8 * 8 * 9 + 8 * 4));  // the product stays, its factors do not
  EXPECT_EQ(cost.total.activation_bytes, 2 * (256 + 8 + 256));
  EXPECT_EQ(cost.peak_activation_bytes, 2 * (256 + 256) + 64);  // 16 bytes of vector, aligned to 64
}

TEST(CountCostTest, EveryListAddsUp) {
  const GraphCost cost = CountCost(Sample());
  for (const auto* groups :
       {&cost.by_component, &cost.by_level, &cost.by_kind, &cost.by_op, &cost.by_phase}) {
    NodeCost sum;
    for (const CostGroup& group : *groups) sum += group.cost;
    EXPECT_EQ(sum.flops, cost.total.flops);
    EXPECT_EQ(sum.parameters, cost.total.parameters);
    EXPECT_EQ(sum.weight_bytes, cost.total.weight_bytes);
    EXPECT_EQ(sum.activation_bytes, cost.total.activation_bytes);
  }
}

TEST(CountCostTest, Table) {
  const std::string table = FormatCostTable(CountCost(Sample()));
  for (const char* expected : {"every call", "once a clip", "conv_in", "down_blocks.0", "level 0",
                               "spatial cross-attention", "WeightProduct", "parameters"}) {
    EXPECT_NE(table.find(expected), std::string::npos) << table;
  }
}

TEST(ClassifierTest, NamesOfSvd) {
  Graph graph;
  for (const char* name : {"down_blocks.3.x", "up_blocks.3.x"}) {
    graph.nodes.emplace_back().name = name;
  }
  const Classifier classifier(graph);
  const auto expect = [&](const char* name, const char* component, const char* level, const char* kind) {
    const NodeClass part = classifier.Classify(name);
    EXPECT_EQ(part.component, component) << name;
    EXPECT_EQ(part.level, level) << name;
    EXPECT_EQ(part.kind, kind) << name;
  };
  expect("down_blocks.1.resnets.0.spatial_res_block.conv1", "down_blocks.1", "level 1", "spatial resnet");
  expect("up_blocks.0.resnets.2.temporal_res_block.conv1.weight", "up_blocks.0", "level 3",
         "temporal resnet");
  expect("mid_block.attentions.0.transformer_blocks.0.attn1.to_q", "mid_block", "level 3",
         "spatial attention");
  expect("up_blocks.3.attentions.0.temporal_transformer_blocks.0.attn2.to_v", "up_blocks.3", "level 0",
         "temporal cross-attention");
  expect("up_blocks.3.attentions.0.temporal_transformer_blocks.0.ff_in.net.2", "up_blocks.3", "level 0",
         "temporal feed-forward");
  expect("down_blocks.0.attentions.0.time_pos_embed.linear_1", "down_blocks.0", "level 0", "frame embedding");
  expect("down_blocks.0.attentions.0.proj_in", "down_blocks.0", "level 0", "projection");
  expect("down_blocks.0.downsamplers.0.conv", "down_blocks.0", "level 0", "resampling");
  expect("time_embedding.linear_1", "time_embedding", "-", "embedding");
  expect("conv_out", "conv_out", "level 0", "input and output");
  expect("decoder.up_blocks.1.resnets.0.spatial_res_block.conv1", "decoder.up_blocks.1", "level 2",
         "spatial resnet");
  expect("vision_model.encoder.layers.7.self_attn.q_proj", "vision_model.encoder.layers.7", "-",
         "spatial attention");
}

}  // namespace
}  // namespace mvd
