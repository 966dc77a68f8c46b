// Every pass keeps the function: the reference executor gives the same outputs before and after, on random
// weights, for each pass alone and for all together.
#include <gtest/gtest.h>

#include <cmath>

#include "mvd/base/rng.h"
#include "mvd/exec/reference.h"
#include "mvd/ir/builder.h"
#include "mvd/ir/text.h"
#include "mvd/models/presets.h"
#include "mvd/passes/passes.h"

namespace mvd {
namespace {

// The reference keeps values in f32, and passes change which of them are rounded: a few roundings of 6e-8 on
// the way to an output.
constexpr double kTolerance = 1e-6;

Tensor RandomTensor(const Shape& shape, uint64_t stream, float scale, float mean = 0) {
  Tensor tensor(shape);
  PhiloxNormal(7, stream, 0, tensor.f32());
  for (float& value : tensor.f32()) value = mean + scale * value;
  return tensor;
}

// Seeded by name, so that a weight is the same whatever the passes did. Scaled to keep activations near 1.
class RandomWeights : public MapWeights {
 public:
  explicit RandomWeights(const Graph& graph) {
    for (ValueId id : graph.All(Op::kWeight)) {
      const Node& node = graph.node(id);
      const bool vector = node.shape.rank() == 1;
      const float fan_in = vector ? 1.0f : float(node.shape.elements() / node.shape[0]);
      const bool norm = vector && node.name.ends_with("weight");
      Set(node.name, RandomTensor(node.shape, std::hash<std::string>()(node.name),
                                  vector ? 0.3f : 1.0f / std::sqrt(fan_in), norm ? 1.0f : 0.0f));
    }
  }
};

// Outputs of two calls: a clip's first one, and one with other values for the inputs of phase step.
std::vector<Tensor> RunTwice(const Graph& graph, WeightSource& weights) {
  const auto executor = MakeReferenceExecutor({});
  executor->Load(graph, weights);
  std::vector<Tensor> results;
  for (const uint64_t call : {0, 1}) {
    std::vector<Tensor> inputs;
    for (ValueId id : graph.All(Op::kInput)) {
      const Node& node = graph.node(id);
      const uint64_t stream = 1000 + inputs.size() + (node.phase == Phase::kStep ? 100 * call : 0);
      inputs.push_back(RandomTensor(node.shape, stream, 1));
    }
    const std::vector<TensorView> views(inputs.begin(), inputs.end());
    std::vector<MutableTensorView> outputs;
    const size_t first = results.size();
    for (const Output& output : graph.outputs) results.emplace_back(graph.shape(output.value));
    for (size_t i = first; i < results.size(); ++i) outputs.push_back(results[i].mutable_view());
    executor->Run(views, outputs, call == 0);
  }
  return results;
}

double RelativeRms(const Tensor& got, const Tensor& want) {
  double error = 0, norm = 0;
  for (size_t i = 0; i < size_t(want.elements()); ++i) {
    const double difference = double(got.f32()[i]) - double(want.f32()[i]);
    error += difference * difference;
    norm += double(want.f32()[i]) * double(want.f32()[i]);
  }
  return std::sqrt(error / norm);
}

void ExpectSameFunction(const Graph& before, const PassOptions& options, bool must_change) {
  RandomWeights weights(before);
  Graph after = before;
  EXPECT_EQ(RunPasses(after, options).changed(), must_change);
  const std::vector<Tensor> want = RunTwice(before, weights), got = RunTwice(after, weights);
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < want.size(); ++i) {
    ASSERT_EQ(got[i].shape(), want[i].shape());
    EXPECT_LE(RelativeRms(got[i], want[i]), kTolerance) << Print(after);
  }
}

// Each pattern of each pass once, batch 2, odd sizes, both axes.
Graph Patterns() {
  Builder b("patterns");
  ValueId h = b.Input("x", {2, 3, 5, 3, 8}, Phase::kStep);
  const ValueId time = b.Input("time", {2, 1, 1, 1, 6}, Phase::kStep);
  const ValueId context = b.Input("context", {2, 1, 1, 1, 6}, Phase::kClip);
  b.Linear(h, "dead", 4);
  for (const bool temporal : {false, true}) {
    Scope block(b, temporal ? "temporal" : "spatial");
    const Axis axis = temporal ? Axis::kTemporal : Axis::kSpatial;
    const auto conv = [&](ValueId x, const char* name) {
      return temporal ? b.ConvTemporal(x, name, 8) : b.Conv2d(x, name, 8);
    };
    ValueId r = conv(b.Activation(b.GroupNorm(h, "norm1", 4, 1e-6, axis), Act::kSilu), "conv1");
    r = b.Add(r, b.Linear(b.Activation(time, Act::kSilu), "time_emb_proj", 8));
    r = b.Activation(b.GroupNorm(r, "norm2", 4, 1e-6, axis), Act::kSilu);
    h = b.Add(b.Linear(h, "shortcut", 8, false), conv(r, "conv2"));
    const ValueId q = b.LayerNorm(h, "ln1", 1e-5);
    ValueId a = b.Attention(b.Linear(q, "q1", 8, false), b.Linear(q, "k1", 8, false),
                            b.Linear(q, "v1", 8, false), 2, 0.5, axis);
    h = b.Add(b.Linear(a, "out1", 8), h);
    const Dims d = b.dims(h);
    const ValueId c = b.Expand(context, temporal ? Shape{2, 1, d.h, d.w, 6} : Shape{2, d.t, 1, 1, 6});
    a = b.Attention(b.Linear(b.LayerNorm(h, "ln2", 1e-5), "q2", 8, false), b.Linear(c, "k2", 8, false),
                    b.Linear(c, "v2", 8, false), 2, 0.5, axis);
    h = b.Add(b.Linear(a, "out2", 8), h);
    h = b.Add(b.Linear(b.Geglu(b.Linear(h, "ff1", 32)), "ff2", 8), h);
    const ValueId f = b.Timestep(b.FrameIndices(d.t), 8);
    h = b.Blend(h, b.Add(h, b.Activation(b.Linear(f, "frames", 8), Act::kTanh)), "mix", temporal);
    h = b.Activation(b.Linear(h, "last", 8), Act::kGelu);
  }
  b.Output("y", h);
  b.Output("v", b.Linear(b.Linear(context, "v", 8, false), "out", 8));
  return b.Finish();
}

TEST(PassEquivalenceTest, EachPassAlone) {
  const Graph graph = Patterns();
  for (const Pass& pass : kPasses) {
    SCOPED_TRACE(std::string(pass.name));
    ExpectSameFunction(graph, {.only = {std::string(pass.name)}}, true);
  }
}

TEST(PassEquivalenceTest, AllTogetherAndAllButOne) {
  const Graph graph = Patterns();
  ExpectSameFunction(graph, {}, true);
  for (const Pass& pass : kPasses) {
    SCOPED_TRACE("without " + std::string(pass.name));
    ExpectSameFunction(graph, {.skip = {std::string(pass.name)}}, true);
  }
}

// SVD's own graph, its width cut down.
TEST(PassEquivalenceTest, SmallSvd) {
  SvdUnetConfig config;
  config.block_out_channels = {32, 64};
  config.down_block_types = {"CrossAttnDownBlockSpatioTemporal", "DownBlockSpatioTemporal"};
  config.up_block_types = {"UpBlockSpatioTemporal", "CrossAttnUpBlockSpatioTemporal"};
  config.layers_per_block = {{1}};
  config.num_attention_heads = {{2, 4}};
  config.cross_attention_dim = {{16}};
  config.addition_time_embed_dim = 8;
  config.projection_class_embeddings_input_dim = 24;
  ExpectSameFunction(BuildSvdUnet(config, 2, 3, 5, 7), {}, true);
}

// The test must be able to fail.
TEST(PassEquivalenceTest, SeesAWrongRewrite) {
  const Graph before = Patterns();
  Graph after = before;
  std::get<ActivationAttrs>(after.node(after.All(Op::kActivation).front()).attrs).act = Act::kGelu;
  RandomWeights weights(before);
  EXPECT_GT(RelativeRms(RunTwice(after, weights)[0], RunTwice(before, weights)[0]), 100 * kTolerance);
}

}  // namespace
}  // namespace mvd
