// Every residual block hears the noise level and the motion bucket: what the time embedding adds must survive
// the norm behind it. A norm over one channel takes every constant away, which is why narrow UNets have fewer
// groups.
#include <gtest/gtest.h>

#include <cmath>

#include "mvd/base/weight_source.h"
#include "mvd/engine/random_weights.h"
#include "mvd/exec/reference.h"
#include "mvd/models/svd_unet.h"

namespace mvd {
namespace {

constexpr char kProjection[] = ".time_emb_proj.";

SvdUnetConfig Narrow(int64_t groups) {
  SvdUnetConfig config;
  config.block_out_channels = {32, 64};
  config.down_block_types = {"CrossAttnDownBlockSpatioTemporal", "DownBlockSpatioTemporal"};
  config.up_block_types = {"UpBlockSpatioTemporal", "CrossAttnUpBlockSpatioTemporal"};
  config.layers_per_block = {{1}};
  config.num_attention_heads = {{2, 4}};
  config.cross_attention_dim = {{16}};
  config.addition_time_embed_dim = 16;
  config.projection_class_embeddings_input_dim = 48;
  config.norm_num_groups = groups;
  return config;
}

// The UNet's graph whose outputs are the norms behind each block's embedding, by block.
Graph NormsBehindEmbeddings(const SvdUnetConfig& config) {
  Graph graph = BuildSvdUnet(config, 1, 2, 4, 4);
  graph.outputs.clear();
  for (ValueId id : graph.All(Op::kGroupNorm)) {
    const std::string& name = graph.node(id).name;
    if (name.ends_with(".norm2")) graph.outputs.push_back({name.substr(0, name.size() - 6), id});
  }
  return graph;
}

std::vector<Tensor> Run(const Graph& graph, const std::string& only, float timestep, float bucket) {
  RandomWeights random(graph, 5, DType::kF32, {2});
  MapWeights weights;
  for (const auto& [name, info] : random.tensors()) {
    Tensor values = ConvertTo(random.Get(name), DType::kF32);
    const bool silent = name.find(kProjection) != name.npos && !name.starts_with(only + kProjection);
    if (silent) std::fill(values.f32().begin(), values.f32().end(), 0.0f);
    weights.Set(name, std::move(values));
  }
  const auto executor = MakeReferenceExecutor({});
  executor->Load(graph, weights);
  std::vector<Tensor> inputs;
  for (ValueId id : graph.All(Op::kInput)) {
    Tensor input(graph.shape(id), DType::kF32);
    for (size_t i = 0; i < input.f32().size(); ++i) input.f32()[i] = float(std::sin(double(i) * 1.7));
    if (graph.node(id).name == "timestep") input.f32()[0] = timestep;
    if (graph.node(id).name == "added_time_ids")
      input.f32()[0] = 6, input.f32()[1] = bucket, input.f32()[2] = 0.02f;
    inputs.push_back(std::move(input));
  }
  std::vector<TensorView> views(inputs.begin(), inputs.end());
  return RunGraph(*executor, graph, views);
}

double LargestDifference(const Tensor& a, const Tensor& b) {
  double most = 0;
  for (size_t i = 0; i < a.f32().size(); ++i)
    most = std::max(most, std::abs(double(a.f32()[i]) - b.f32()[i]));
  return most;
}

// For each block, with all other blocks' embeddings silent, how much its norm's output hears.
template <class Check>
void ForEachBlock(int64_t groups, const Check& check) {
  const Graph graph = NormsBehindEmbeddings(Narrow(groups));
  ASSERT_GT(graph.outputs.size(), 10u);
  for (size_t i = 0; i < graph.outputs.size(); ++i) {
    const std::string& block = graph.outputs[i].name;
    const std::vector<Tensor> base = Run(graph, block, 1, 60);
    const std::vector<Tensor> other_sigma = Run(graph, block, -1, 60),
                              other_bucket = Run(graph, block, 1, 180);
    check(block, DimsOf(graph.shape(graph.outputs[i].value)).c, LargestDifference(base[i], other_sigma[i]),
          LargestDifference(base[i], other_bucket[i]));
  }
}

TEST(NormGroups, EveryBlockHearsSigmaAndBucket) {
  ForEachBlock(8, [](const std::string& block, int64_t, double sigma, double bucket) {
    EXPECT_GT(sigma, 1e-2) << block;
    EXPECT_GT(bucket, 1e-2) << block;
  });
}

// What went wrong before there was the key: a group of one channel.
TEST(NormGroups, OneChannelPerGroupHearsNothing) {
  ForEachBlock(32, [](const std::string& block, int64_t channels, double sigma, double bucket) {
    if (channels > 32) return;
    EXPECT_LT(sigma, 1e-4) << block;
    EXPECT_LT(bucket, 1e-4) << block;
  });
}

}  // namespace
}  // namespace mvd
