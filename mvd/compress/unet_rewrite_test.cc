// Which tensors a rewrite makes, of what type, and that neither threads nor chance have a part in them.
// That the networks compute the same is tests/compression_test.cc.
#include "mvd/compress/unet_rewrite.h"

#include <cstring>

#include "mvd/compress/compress_testing.h"
#include "mvd/compress/unet_steps.h"
#include "mvd/models/presets.h"

namespace mvd {
namespace {

SvdUnetConfig Tiny() { return FindPreset("svd-tiny").models.unet; }

std::shared_ptr<MapWeights> WeightsOf(const SvdUnetConfig& config, DType dtype = DType::kF32) {
  auto weights = std::make_shared<MapWeights>();
  const Graph graph = BuildSvdUnet(config, 1, 1, 8, 8);
  for (ValueId id : graph.All(Op::kWeight))
    weights->Set(graph.node(id).name, ConvertTo(NormalTensor(graph.shape(id), uint64_t(id), 0.1), dtype));
  return weights;
}

SvdUnetConfig With(const std::function<void(CompressionSteps&)>& set, const SvdUnetConfig& source = Tiny()) {
  CompressionSteps steps;
  set(steps);
  return ApplySteps(source, steps, "config.json");
}

std::map<std::string, Tensor> Made(UnetRewrite& rewrite, int threads = 2) {
  std::map<std::string, Tensor> made;
  rewrite.Run(
      [&](const std::string& name, const TensorView& value) {
        EXPECT_TRUE(made.emplace(name, ConvertTo(value, value.dtype)).second) << name;
      },
      {threads});
  return made;
}

bool SameBytes(const TensorView& a, const TensorView& b) {
  return a.dtype == b.dtype && a.shape == b.shape && std::memcmp(a.data, b.data, a.bytes()) == 0;
}

void Everything(CompressionSteps& s) {
  s.fold_cross_attention = true;
  s.temporal_multiscale = 2;
  s.keep = {"mid_block.attentions.0", "down_blocks.1.resnets.0"};
  s.funnel_factors = {{FunnelPlace::kAttention, 0.5}, {FunnelPlace::kConvolutions, 0.5}};
  s.merge = true;
}

// What the target's graph asks for and nothing else, in the source's type; all that is not in the way is
// copied.
TEST(UnetRewriteTest, MakesWhatTheNetworkAsksFor) {
  for (const DType dtype : {DType::kF32, DType::kBF16, DType::kF16}) {
    const auto weights = WeightsOf(Tiny(), dtype);
    const SvdUnetConfig target = With(Everything);
    UnetRewrite rewrite(Tiny(), target, *weights);
    const std::map<std::string, Tensor> made = Made(rewrite);
    const Graph graph = BuildSvdUnet(target, 1, 1, 8, 8);
    EXPECT_EQ(made.size(), graph.All(Op::kWeight).size());
    for (ValueId id : graph.All(Op::kWeight)) {
      const auto found = made.find(graph.node(id).name);
      ASSERT_NE(found, made.end()) << graph.node(id).name;
      EXPECT_EQ(found->second.shape(), graph.shape(id)) << found->first;
      EXPECT_EQ(found->second.dtype(), dtype) << found->first;
    }
    const std::set<std::string> changed(rewrite.changed().begin(), rewrite.changed().end());
    EXPECT_TRUE(changed.contains("mid_block.resnets.0.spatial_res_block.norm2.weight"));
    for (const auto& [name, value] : made)
      EXPECT_EQ(SameBytes(value, weights->Get(name)), !changed.contains(name)) << name;
    EXPECT_EQ(rewrite.before().size() - rewrite.dropped().size() + rewrite.added().size(), made.size());
    EXPECT_TRUE(rewrite.added().empty());
  }
}

TEST(UnetRewriteTest, FunnelsStandBesideTheirLayers) {
  const auto weights = WeightsOf(Tiny());
  const SvdUnetConfig target = With([](auto& s) {
    s.funnel_factors = {{FunnelPlace::kAttention, 0.5}, {FunnelPlace::kConvolutions, 0.5}};
  });
  UnetRewrite rewrite(Tiny(), target, *weights);
  EXPECT_TRUE(rewrite.dropped().empty());
  EXPECT_EQ(rewrite.added().size(), 2 * target.compression.funnels.size());
  const auto made = Made(rewrite);
  const std::string block = "mid_block.resnets.0.temporal_res_block.";
  EXPECT_EQ(made.at(block + "conv1.funnel.weight").shape(), Shape({1, 64, 128}));
  EXPECT_EQ(made.at(block + "conv2.funnel.weight").shape(), Shape({1, 128, 64}));
  for (const float gamma : made.at(block + "norm2.weight").view().f32()) EXPECT_EQ(gamma, 1);
  for (const float beta : made.at(block + "norm2.bias").view().f32()) EXPECT_EQ(beta, 0);
  for (const std::string& name : rewrite.changed()) EXPECT_NE(name.find(".norm2."), name.npos) << name;
  EXPECT_TRUE(SameBytes(made.at(block + "conv1.weight"), weights->Get(block + "conv1.weight")));
}

TEST(UnetRewriteTest, ThreadsChangeNothing) {
  const auto weights = WeightsOf(Tiny());
  for (const auto& target : {With(Everything), With([](auto& s) { s.low_rank = 0.3; })}) {
    UnetRewrite rewrite(Tiny(), target, *weights);
    const auto one = Made(rewrite, 1), four = Made(rewrite, 4);
    ASSERT_EQ(one.size(), four.size());
    for (const auto& [name, value] : one) EXPECT_TRUE(SameBytes(value, four.at(name))) << name;
  }
}

// A pair's random funnel is a function of the seed and its place in the whole network.
TEST(UnetRewriteTest, SeedsOfRandomFunnels) {
  const auto weights = WeightsOf(Tiny());
  const auto funnels = [](auto& s) { s.funnel_factors = {{FunnelPlace::kAttention, 0.5}}; };
  const auto made = [&](uint64_t seed, const SvdUnetConfig& target) {
    UnetRewrite rewrite(Tiny(), target, *weights,
                        {.funnel_init = FunnelInit::kHe, .seed = seed, .dtype = {}});
    return Made(rewrite).at("mid_block.attentions.0.transformer_blocks.0.attn1.to_q.funnel.weight").Clone();
  };
  const SvdUnetConfig all = With(funnels);
  const SvdUnetConfig pruned = With([&](auto& s) { funnels(s), s.keep = {"mid_block.resnets.0"}; });
  EXPECT_TRUE(SameBytes(made(1, all), made(1, all)));
  EXPECT_TRUE(SameBytes(made(1, all), made(1, pruned)));
  EXPECT_FALSE(SameBytes(made(1, all), made(2, all)));
}

TEST(UnetRewriteTest, TypesAreConverted) {
  const auto weights = WeightsOf(Tiny());
  const SvdUnetConfig target = With([](auto& s) { s.low_rank = 0.5; });
  UnetRewrite rewrite(Tiny(), target, *weights, {.funnel_init = {}, .seed = 0, .dtype = DType::kBF16});
  for (const auto& [name, value] : Made(rewrite)) {
    EXPECT_EQ(value.dtype(), DType::kBF16) << name;
    EXPECT_EQ(rewrite.after().at(name).dtype, DType::kBF16);
  }
}

TEST(UnetRewriteTest, Refusals) {
  const SvdUnetConfig target = With(Everything);
  const std::string layer = "mid_block.attentions.0.transformer_blocks.0.attn1.to_q.weight";
  auto weights = WeightsOf(Tiny());
  weights->Set(layer, NormalTensor({3, 3}, 1));
  ExpectError(Exit::kBadInput, {"memory: tensor '" + layer + "' has shape (3,3), expected (128,128)"},
              [&] { UnetRewrite(Tiny(), target, *weights); });
  ExpectError(Exit::kBadInput, {"memory: tensor '", "' is missing, expected ("}, [&] {
    MapWeights none;
    UnetRewrite(Tiny(), target, none);
  });
  weights->Set(layer, NormalTensor({128, 128}, 1, 1e30));
  const auto run = [&](const RewriteOptions& options) {
    UnetRewrite rewrite(Tiny(), target, *weights, options);
    Made(rewrite);
  };
  run({});
  ExpectError(Exit::kBadInput, {"leaves f16's range"},
              [&] { run({.funnel_init = {}, .seed = 0, .dtype = DType::kF16}); });
  weights->Set(layer, NormalTensor({128, 128}, 1, std::numeric_limits<double>::quiet_NaN()));
  ExpectError(Exit::kBadInput, {"'" + layer + "' has nan at element 0"}, [&] { run({}); });
}

TEST(UnetRewriteTest, CanBeCancelled) {
  const auto weights = WeightsOf(Tiny());
  UnetRewrite rewrite(Tiny(), With(Everything), *weights);
  CancelToken cancel;
  cancel.Cancel();
  ExpectError(Exit::kCancelled, {"cancelled"},
              [&] { rewrite.Run([](const std::string&, const TensorView&) {}, {2}, &cancel); });
}

}  // namespace
}  // namespace mvd
