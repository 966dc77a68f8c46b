// What compression keeps: a UNet rewritten for its new config is the same function where it must be, on the
// reference executor; and a folder written so is a model again.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "mvd/base/error_testing.h"
#include "mvd/base/rng.h"
#include "mvd/compress/unet_rewrite.h"
#include "mvd/compress/unet_steps.h"
#include "mvd/engine/model.h"
#include "mvd/engine/random_weights.h"
#include "mvd/engine/unet_folder.h"
#include "mvd/exec/metrics.h"
#include "mvd/exec/reference.h"
#include "mvd/io/io_test_util.h"
#include "mvd/models/presets.h"

namespace mvd {
namespace {

namespace fs = std::filesystem;

constexpr Threads kThreads{2};
// Where two graphs compute the same numbers in another order: a few roundings of f32 (6e-8) on the way.
constexpr double kRounding = 2e-6;
// Where weights went through a decomposition first: each was rounded to f32 twice more, and a funnel's
// inverse multiplies that by the condition number of a head's 16 to 32 channels, some tens.
constexpr double kDecomposed = 5e-6;

// Four levels as SVD has them, every kind of block, two channels a group and more.
SvdUnetConfig FourLevels() {
  SvdUnetConfig config;
  config.block_out_channels = {64, 64, 128, 128};
  config.layers_per_block = {{1}};
  config.num_attention_heads = {{2, 4, 4, 4}};
  config.cross_attention_dim = {{48}};
  config.addition_time_embed_dim = 16;
  config.projection_class_embeddings_input_dim = 48;
  return config;
}

// A UNet with its weights in memory.
struct Net {
  SvdUnetConfig config;
  std::shared_ptr<MapWeights> weights = std::make_shared<MapWeights>();
};

Net RandomNet(const SvdUnetConfig& config) {
  Net net{config};
  const Graph graph = BuildSvdUnet(config, 1, 1, 8, 8);
  RandomWeights random(graph, 3, DType::kF32, kThreads);
  for (const auto& [name, info] : random.tensors()) {
    net.weights->Set(name, ConvertTo(random.Get(name), DType::kF32));
    random.Release(name);
  }
  return net;
}

Net Rewritten(const Net& net, const SvdUnetConfig& target, const RewriteOptions& options = {}) {
  Net result{target};
  UnetRewrite rewrite(net.config, target, *net.weights, options);
  rewrite.Run([&](const std::string& name,
                  const TensorView& value) { result.weights->Set(name, ConvertTo(value, value.dtype)); },
              kThreads);
  return result;
}
Net After(const Net& net, const CompressionSteps& steps, const RewriteOptions& options = {}) {
  return Rewritten(net, ApplySteps(net.config, steps, "config.json"), options);
}

// Three frames of 5x4 latents; `gates` for the input of that name where it is not empty.
Tensor Output(const Net& net, const std::vector<float>& gates = {}) {
  const Graph graph = BuildSvdUnet(net.config, 1, 3, 5, 4, {.temporal_gates = !gates.empty()});
  const auto executor = MakeReferenceExecutor({.threads = kThreads});
  executor->Load(graph, *net.weights);
  std::vector<Tensor> inputs;
  for (ValueId id : graph.All(Op::kInput)) {
    const Node& node = graph.node(id);
    Tensor& input = inputs.emplace_back(node.shape);
    PhiloxNormal(5, inputs.size(), 0, input.f32());
    if (node.name == "temporal_gates") std::copy(gates.begin(), gates.end(), input.f32().begin());
  }
  const std::vector<TensorView> views(inputs.begin(), inputs.end());
  return std::move(RunGraph(*executor, graph, views)[0]);
}

double Distance(const Tensor& got, const Tensor& want) {
  return Measure(got.view().f32(), want.view().f32()).rel_rms;
}

CompressionSteps Funnels(FunnelPlace place, double factor, bool merge) {
  CompressionSteps steps;
  steps.funnel_factors[place] = factor;
  steps.merge = merge;
  return steps;
}

// Every weight, to the bit.
void ExpectSameWeights(const Net& got, const Net& want) {
  EXPECT_EQ(got.config, want.config);
  const Graph graph = BuildSvdUnet(want.config, 1, 1, 8, 8);
  for (ValueId id : graph.All(Op::kWeight)) {
    const std::string& name = graph.node(id).name;
    const TensorView a = got.weights->Get(name), b = want.weights->Get(name);
    EXPECT_TRUE(a.shape == b.shape && std::ranges::equal(a.f32(), b.f32())) << name;
  }
}

class CompressionTest : public testing::TestWithParam<bool> {
 protected:
  const Net net_ = RandomNet(GetParam() ? FindPreset("svd-tiny").models.unet : FourLevels());
  const Tensor plain_ = Output(net_);
};

TEST_P(CompressionTest, FoldedCrossAttentionIsTheSameFunction) {
  CompressionSteps steps;
  steps.fold_cross_attention = true;
  const Net folded = After(net_, steps);
  EXPECT_FALSE(
      folded.weights->Find("mid_block.attentions.0.transformer_blocks.0.attn2.to_q.weight").has_value());
  EXPECT_LE(Distance(Output(folded), plain_), kRounding);
}

TEST_P(CompressionTest, PrunedIsGatesOfZero) {
  CompressionSteps steps;
  steps.keep = {"mid_block.resnets.1", "down_blocks.0.attentions.0", "up_blocks.1.resnets.0"};
  const Net pruned = After(net_, steps);
  std::vector<float> gates;
  for (const std::string& block : TemporalBlocks(net_.config))
    gates.push_back(std::find(steps.keep->begin(), steps.keep->end(), block) != steps.keep->end() ? 1 : 0);
  const Tensor got = Output(pruned);
  EXPECT_LE(Distance(got, Output(net_, gates)), kRounding);
  EXPECT_GE(Distance(got, plain_), 1e-2);  // the branches that are gone did something
  EXPECT_LE(Distance(Output(net_, std::vector<float>(gates.size(), 1)), plain_), kRounding);
}

// Between convolutions stand a norm and an activation: there, funnels of full width are another function.
TEST_P(CompressionTest, AttentionFunnelsOfFullWidthAreExact) {
  for (const bool merge : {false, true})
    EXPECT_LE(Distance(Output(After(net_, Funnels(FunnelPlace::kAttention, 1, merge))), plain_), kDecomposed);
}

TEST_P(CompressionTest, MergedFunnelsAreTheUnmergedOnes) {
  CompressionSteps merge;
  merge.merge = true;
  for (const FunnelPlace place : {FunnelPlace::kAttention, FunnelPlace::kConvolutions}) {
    for (const FunnelInit init : {FunnelInit::kCoupled, FunnelInit::kHe}) {
      const RewriteOptions options{.funnel_init = init, .seed = 9, .dtype = {}};
      const Net beside = After(net_, Funnels(place, 0.5, false), options);
      const Net merged = After(beside, merge);
      const Tensor want = Output(beside);
      EXPECT_LE(Distance(Output(merged), want), kRounding);
      EXPECT_GE(Distance(want, plain_), 1e-3);  // half the width is another function
      // At once is the same as one after the other, to the bit: funnels in f32 lose nothing in between.
      ExpectSameWeights(After(net_, Funnels(place, 0.5, true), options), merged);
    }
  }
}

TEST_P(CompressionTest, FullRankIsExact) {
  CompressionSteps steps;
  steps.low_rank = 1.0;
  EXPECT_LE(Distance(Output(After(net_, steps)), plain_), kDecomposed);
  steps.low_rank = 0.25;
  EXPECT_GE(Distance(Output(After(net_, steps)), plain_), 1e-3);
}

// All steps one by one end where the preset does, and the preset's network runs.
TEST_P(CompressionTest, ThePresetIsItsSteps) {
  const SvdUnetConfig target =
      ApplyVariant(net_.config, FindVariant("mobilevd"), std::nullopt, true, "config.json");
  const Net at_once = Rewritten(net_, target);
  CompressionSteps steps;
  steps.fold_cross_attention = true;
  Net net = After(net_, steps);
  steps = {};
  steps.temporal_multiscale = 2;
  net = After(net, steps);
  steps = {};
  steps.keep = SurvivingTemporalBlocks(net_.config, 11);
  net = After(net, steps);
  net = After(net, Funnels(FunnelPlace::kAttention, 0.5, false));
  const Tensor beside = Output(net);
  net = Rewritten(net, ApplyVariant(net.config, FindVariant("mobilevd"), std::nullopt, true, "config.json"));
  ExpectSameWeights(at_once, net);
  const Tensor got = Output(net);
  EXPECT_LE(Distance(got, beside), kRounding);
  EXPECT_EQ(CountNonFinite(got.view().f32()), 0);
}

INSTANTIATE_TEST_SUITE_P(Networks, CompressionTest, testing::Bool(),
                         [](const auto& info) { return info.param ? "SvdTiny" : "FourLevels"; });

// A pipeline's folder of the preset with random weights, as `init` writes it.
void WritePipeline(const Preset& preset, const fs::path& folder) {
  WriteConfigs(preset, folder);
  std::map<std::string, std::map<std::string, TensorView>> files;
  std::vector<std::unique_ptr<RandomWeights>> sources;
  for (const ComponentInfo& info : Components()) {
    const Graph graph = info.build(preset.models, {.batch = 1, .frames = 1, .height = 64, .width = 64});
    RandomWeights& random =
        *sources.emplace_back(std::make_unique<RandomWeights>(graph, 1, DType::kBF16, kThreads));
    for (const auto& [name, tensor] : random.tensors())
      files[std::string(info.folder)][name] = random.Get(name);
  }
  for (const auto& [name, tensors] : files)
    WriteSafetensors(
        folder / name /
            (name == "image_encoder" ? "model.safetensors" : "diffusion_pytorch_model.safetensors"),
        tensors);
}

class FolderTest : public testing::Test {
 protected:
  FolderTest() { WritePipeline(FindPreset("svd-tiny"), model_); }

  void Compress(const fs::path& from, const fs::path& to) {
    const UnetFolder source = UnetFolder::Open(from);
    FolderWeights weights(source.unet);
    const SvdUnetConfig target =
        ApplyVariant(source.config, FindVariant("mobilevd"), std::nullopt, true, source.config_file);
    UnetRewrite rewrite(source.config, target, weights);
    WriteUnetFolder(source, target, rewrite, to, kThreads);
  }
  void Edit(const fs::path& file, const std::function<void(nlohmann::json&)>& edit) {
    nlohmann::json json = ReadJsonFile(file);
    edit(json);
    std::ofstream(file) << json;
  }

  TestFolder folder_;
  const fs::path model_ = folder_.path() / "model", out_ = folder_.path() / "out";
};

TEST_F(FolderTest, WhatIsWrittenIsAModel) {
  Edit(model_ / "unet/config.json", [](auto& json) { json["_name_or_path"] = "mine"; });
  std::ofstream(model_ / "LICENSE.md") << "terms";
  // As in the Hub's cache: the files are links to its blobs.
  const fs::path vae = "vae/diffusion_pytorch_model.safetensors";
  const fs::path cache = folder_.path() / "models--org--name", snapshot = cache / "snapshots/12ab";
  fs::create_directories(cache / "blobs");
  fs::create_directories(cache / "snapshots");
  fs::rename(model_, snapshot);
  fs::rename(snapshot / vae, cache / "blobs/0123");
  fs::create_symlink(cache / "blobs/0123", snapshot / vae);
  Compress(snapshot, out_);
  const Model model = Model::Open(out_);
  EXPECT_TRUE(model.is_pipeline());
  EXPECT_EQ(model.configs().unet.compression.kept_temporal_blocks->size(), 11u);
  EXPECT_EQ(model.defaults().num_inference_steps, 1);
  for (const ComponentInfo& info : Components()) {
    const Graph graph = info.build(model.configs(), {.batch = 1, .frames = 2, .height = 64, .width = 64});
    MakeReferenceExecutor({})->Load(graph, *model.Weights(info.name));  // every tensor, of its shape
  }
  // Nothing else is in it, and nothing leads out.
  const FolderWeights weights(out_ / "unet");
  const Graph graph = BuildSvdUnet(model.configs().unet, 1, 1, 8, 8);
  EXPECT_EQ(weights.Names().size(), graph.All(Op::kWeight).size());
  EXPECT_EQ(weights.Find("conv_in.weight")->dtype, DType::kBF16);
  for (const auto& entry : fs::recursive_directory_iterator(out_)) EXPECT_FALSE(entry.is_symlink()) << entry;
  EXPECT_EQ(fs::file_size(out_ / vae), fs::file_size(cache / "blobs/0123"));
  EXPECT_TRUE(fs::exists(out_ / "LICENSE.md"));
  EXPECT_EQ(ReadJsonFile(out_ / "unet/config.json")["_name_or_path"], "mine");
  ExpectOneLineError(Exit::kBadInput, "config.json: describes 'mobilevd' already",
                     [&] { Compress(out_, folder_.path() / "twice"); });
}

TEST_F(FolderTest, AUnetsOwnFolder) {
  Compress(model_ / "unet", out_);
  EXPECT_EQ(Model::Open(out_).configs().unet.compression.temporal_multiscale, 2);
  EXPECT_FALSE(fs::exists(out_ / "unet"));
}

TEST_F(FolderTest, Refusals) {
  const auto refused = [&](Exit exit, const std::string& message, const fs::path& from) {
    ExpectOneLineError(exit, message, [&] { Compress(from, out_); });
    EXPECT_FALSE(fs::exists(out_));
  };
  refused(Exit::kNotFound, "no such file or folder", folder_.path() / "nothing");
  refused(Exit::kBadInput, "is of class 'AutoencoderKLTemporalDecoder', expected 'UNetSpatio",
          model_ / "vae");
  fs::rename(model_ / "taesd", folder_.path() / "taesd");
  refused(Exit::kBadInput, "taesd: is missing", model_);
  fs::rename(folder_.path() / "taesd", model_ / "taesd");
  Edit(model_ / "unet/config.json", [](auto& json) { json["block_out_channels"] = {64, 192}; });
  refused(Exit::kBadInput, "' has shape (", model_);
  Edit(model_ / "model_index.json", [](auto& json) { json.erase("unet"); });
  refused(Exit::kBadInput, "lists no component 'unet'", model_);
  folder_.Put("out/mine", "content");
  ExpectOneLineError(Exit::kUsage, "out exists and is not an empty folder", [&] { CheckNewFolder(out_); });
}

}  // namespace
}  // namespace mvd
