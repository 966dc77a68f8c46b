// The published costs of Stable Video Diffusion's UNet, from the graph alone: table 1 of arXiv 2412.07583 and
// the parameter counts of arXiv 2311.15127.
#include <gtest/gtest.h>

#include <cstdio>

#include "mvd/cost/cost.h"
#include "mvd/ir/arena.h"
#include "mvd/models/presets.h"
#include "mvd/passes/passes.h"

namespace mvd {
namespace {

constexpr int64_t kFrames = 14;

// Latents of 512x256 and of 1024x576 pixels.
Graph Svd(int64_t height = 32, int64_t width = 64) {
  return BuildSvdUnet(FindPreset("svd").models.unet, 1, kFrames, height, width);
}

int64_t CallFlopsAfter(Graph graph, const PassOptions& options) {
  RunPasses(graph, options);
  return CountCost(graph).CallFlops();
}

// The paper's figures are of a profiler that counts 1.3 to 1.7 % more than matmuls and convolutions have;
// hence 2 %.
void ExpectNear(const char* what, int64_t flops, double paper) {
  const double ours = double(flops) * 1e-12;
  std::printf("%-44s %20lld FLOPs, paper %.2f T, %+.2f %%\n", what, static_cast<long long>(flops), paper,
              100 * (ours / paper - 1));
  EXPECT_NEAR(ours / paper, 1, 0.02) << what;
}

TEST(CostModelsTest, PublishedFlops) {
  ExpectNear("SVD, 14 x 1024x576", CountCost(Svd(72, 128)).total.flops, 45.43);
  ExpectNear("SVD, 14 x 512x256", CountCost(Svd()).total.flops, 8.60);
}

TEST(CostModelsTest, OptimisedCrossAttention) {
  const PassOptions papers{.only = {"fold_single_token_attention"}};
  const int64_t folded = CallFlopsAfter(Svd(), papers);
  ExpectNear("cross-attention folded as in the paper", folded, 8.24);
  // Ours: W_o W_v c once for each of the 32 blocks, 2 x 5 at each of three levels and 2 in the middle.
  // Temporal blocks had computed it at each location, spatial blocks for each frame.
  int64_t once = 0, papers_way = 0;
  const auto count = [&](int64_t blocks, int64_t channels, int64_t locations) {
    const int64_t vector = 2 * (channels * 1024 + channels * channels);
    once += 2 * blocks * vector;
    papers_way += blocks * (kFrames + locations) * vector;
  };
  count(5, 320, 32 * 64), count(5, 640, 16 * 32), count(5, 1280, 8 * 16), count(1, 1280, 4 * 8);
  const int64_t hoisted = CallFlopsAfter(Svd(), {.only = {"fold_single_token_attention", "hoist_expand"}});
  EXPECT_EQ(folded - hoisted, papers_way - once);
  std::printf("cross-attention once a clip: %lld FLOPs\n", static_cast<long long>(hoisted));

  Graph graph = Svd();
  RunPasses(graph);
  const GraphCost cost = CountCost(graph);
  // The embedding of the added ids is the only other thing that does not depend on the noise.
  EXPECT_EQ(cost.ClipFlops(), once + 2 * (768 * 1280 + 1280 * 1280));
  std::printf("all passes: %lld FLOPs every call, %lld once a clip, %lld once a model\n",
              static_cast<long long>(cost.StepFlops()), static_cast<long long>(cost.ClipFlops()),
              static_cast<long long>(cost.LoadFlops()));
}

TEST(CostModelsTest, Parameters) {
  const Graph graph = Svd();
  EXPECT_EQ(CountCost(graph).total.parameters, 1524623082);
  Graph folded = Svd();
  RunPasses(folded, {.only = {"fold_single_token_attention"}});
  // to_q (C x C), to_k (C x 1024) and norm2 (2 C) of the 32 cross-attentions.
  int64_t removed = 0;
  for (const int64_t channels : {320, 640, 1280})
    removed += 10 * (channels * channels + 1024 * channels + 2 * channels);
  removed += 2 * (1280 * 1280 + 1024 * 1280 + 2 * 1280);
  EXPECT_EQ(CountCost(folded).total.parameters, 1524623082 - removed);
}

TEST(CostModelsTest, EveryNetworkTakesThePasses) {
  const ModelConfigs models = FindPreset("svd").models;
  for (Graph graph :
       {BuildVaeEncoder(models.vae, 1, 64, 128), BuildVaeDecoder(models.vae, 1, 3, 8, 16),
        BuildTaesdEncoder(models.taesd, 1, 64, 128), BuildTaesdDecoder(models.taesd, 1, 3, 8, 16),
        BuildClipVision(models.image_encoder, 1)}) {
    const NodeCost before = CountCost(graph).total;
    EXPECT_TRUE(RunPasses(graph).changed()) << graph.name;
    const NodeCost after = CountCost(graph).total;
    EXPECT_EQ(after.flops, before.flops) << graph.name;  // fused, but the same work
    EXPECT_EQ(after.parameters, before.parameters) << graph.name;
    EXPECT_LT(after.activation_bytes, before.activation_bytes) << graph.name;
    EXPECT_FALSE(RunPasses(graph).changed()) << graph.name;
  }
}

TEST(CostModelsTest, EveryNodeOfSvdHasAKind) {
  for (const CostGroup& group : CountCost(Svd()).by_kind) {
    if (group.name != "other") continue;
    EXPECT_EQ(group.cost.flops, 0);
    EXPECT_EQ(group.cost.parameters, 0);
  }
}

TEST(CostModelsTest, ArenaIsNearItsLowerBound) {
  for (const bool optimised : {false, true}) {
    Graph graph = Svd();
    if (optimised) RunPasses(graph);
    const MemoryLayout layout = PlanArena(graph, [&](ValueId id) { return 4 * graph.shape(id).elements(); });
    const double ratio = double(layout.arena_bytes) / double(layout.lower_bound);
    std::printf("SVD 512x256 f32 arena%s: %lld bytes, %.4f of the lower bound\n",
                optimised ? ", all passes" : "", static_cast<long long>(layout.arena_bytes), ratio);
    EXPECT_GE(ratio, 1);
    EXPECT_LT(ratio, 1.1);
  }
}

TEST(CostModelsTest, PassesLeaveFewSweepsOverMemory) {
  Graph graph = Svd();
  const GraphCost before = CountCost(graph);
  const PassReport report = RunPasses(graph);
  const GraphCost after = CountCost(graph);
  for (const PassReport::Entry& entry : report.entries) {
    std::printf("%-28s %6.1f ms  %5lld -> %5lld nodes\n", std::string(entry.name).c_str(),
                entry.seconds * 1e3, static_cast<long long>(entry.nodes_before),
                static_cast<long long>(entry.nodes_after));
  }
  std::printf("bytes written by a call: %lld -> %lld\n",
              static_cast<long long>(before.total.activation_bytes),
              static_cast<long long>(after.total.activation_bytes));
  int large_adds = 0;
  for (const Node& node : graph.nodes) {
    if (node.phase != Phase::kStep) continue;
    EXPECT_NE(node.op, Op::kGeglu) << node.name;
    EXPECT_NE(node.op, Op::kExpand) << node.name;
    large_adds += node.op == Op::kAdd && DimsOf(node.shape).tokens() > 1;
    if (node.op == Op::kActivation) {
      EXPECT_EQ(DimsOf(node.shape).tokens(), 1) << node.name;
    }
  }
  EXPECT_EQ(large_adds, 16);  // the frame embeddings, one a transformer
  EXPECT_FALSE(RunPasses(graph).changed());
}

}  // namespace
}  // namespace mvd
