// The reference as an executor: phases, observers, cancellation, errors. Its ops are tested by the
// conformance test.
#include "mvd/exec/reference.h"

#include <gtest/gtest.h>

#include "mvd/ir/text.h"

namespace mvd {
namespace {

const char* const kPhases = R"(
s = Input {shape=(1,1,1,1,2), phase=clip}
x = Input {shape=(1,1,1,1,2)}
u = Weight : (2,2)
v = Weight : (2,2)
w = WeightProduct(u, v) @load
p = Linear(s, w) @clip
y = Add(x, p)
z = Add(y, y)
output z = z
)";

MapWeights Weights() {
  MapWeights weights;
  weights.Set("u", Tensor::FromVector({2, 2}, std::vector<float>{0, 1, 1, 0}));
  weights.Set("v", Tensor::FromVector({2, 2}, std::vector<float>{1, 2, 3, 4}));
  return weights;
}

// Runs with s and x, and gives z.
std::vector<float> RunOnce(Executor& executor, std::vector<float> s, std::vector<float> x, bool new_clip) {
  const Tensor a = Tensor::FromVector({1, 1, 1, 1, 2}, s), b = Tensor::FromVector({1, 1, 1, 1, 2}, x);
  Tensor z({1, 1, 1, 1, 2});
  const std::vector<TensorView> inputs{a, b};
  const std::vector<MutableTensorView> outputs{z.mutable_view()};
  executor.Run(inputs, outputs, new_clip);
  return {z.f32().begin(), z.f32().end()};
}

TEST(ReferenceTest, ComputesEachPhaseInItsTime) {
  MapWeights weights = Weights();
  const auto executor = MakeReferenceExecutor({});
  std::vector<std::string> heard;
  executor->SetObserver([&](const NodeRun& run) { heard.push_back(run.node.name); });
  executor->Load(Parse(kPhases), weights);
  EXPECT_EQ(heard, std::vector<std::string>{"w"});
  heard.clear();
  // w = u v = ((3,4),(1,2)); p = w (1,1) = (7,3)
  EXPECT_EQ(RunOnce(*executor, {1, 1}, {10, 20}, true), (std::vector<float>{34, 46}));
  EXPECT_EQ(heard, (std::vector<std::string>{"p", "y", "z"}));
  heard.clear();
  // The clip's value is kept, whatever s says now.
  EXPECT_EQ(RunOnce(*executor, {5, 5}, {0, 1}, false), (std::vector<float>{14, 8}));
  EXPECT_EQ(heard, (std::vector<std::string>{"y", "z"}));
  EXPECT_EQ(RunOnce(*executor, {0, 1}, {0, 0}, true), (std::vector<float>{8, 4}));
}

std::string LoadMessage(MapWeights& weights) {
  try {
    MakeReferenceExecutor({})->Load(Parse(kPhases), weights);
  } catch (const Error& error) {
    EXPECT_EQ(error.exit(), Exit::kBadInput);
    return error.what();
  }
  return "no error";
}

TEST(ReferenceTest, NamesTheWeightThatIsWrong) {
  MapWeights missing;
  missing.Set("u", Tensor::Zeros({2, 2}));
  EXPECT_EQ(LoadMessage(missing), "memory: tensor 'v' is missing, expected shape (2,2)");
  MapWeights shape = Weights();
  shape.Set("u", Tensor::Zeros({4}));
  EXPECT_EQ(LoadMessage(shape), "memory: tensor 'u' has shape (4), expected (2,2)");
}

TEST(ReferenceTest, ReadsWeightsOfOtherTypes) {
  MapWeights weights = Weights();
  weights.Set("v", ConvertTo(Tensor::FromVector({2, 2}, std::vector<float>{1, 2, 3, 4}), DType::kBF16));
  const auto executor = MakeReferenceExecutor({});
  executor->Load(Parse(kPhases), weights);
  EXPECT_EQ(RunOnce(*executor, {1, 1}, {10, 20}, true), (std::vector<float>{34, 46}));
}

TEST(ReferenceTest, Cancels) {
  CancelToken cancel;
  MapWeights weights = Weights();
  const auto executor = MakeReferenceExecutor({.cancel = &cancel});
  executor->Load(Parse(kPhases), weights);
  cancel.Cancel();
  try {
    RunOnce(*executor, {1, 1}, {10, 20}, true);
    FAIL() << "not cancelled";
  } catch (const Error& error) {
    EXPECT_EQ(error.exit(), Exit::kCancelled);
  }
}

TEST(ReferenceTest, ComputesInF32Alone) {
  MapWeights weights = Weights();
  const Graph graph = Parse(kPhases);
  const auto executor = MakeReferenceExecutor({.dtype = DType::kBF16});
  EXPECT_NE(executor->Unsupported(graph, graph.nodes.back()), "");
  EXPECT_THROW(executor->Load(graph, weights), Error);
}

TEST(ReferenceTest, ChecksInputsAndOutputs) {
  MapWeights weights = Weights();
  const auto executor = MakeReferenceExecutor({});
  executor->Load(Parse(kPhases), weights);
  const Tensor two = Tensor::Zeros({1, 1, 1, 1, 2});
  Tensor three = Tensor::Zeros({1, 1, 1, 1, 3}), good = Tensor::Zeros({1, 1, 1, 1, 2});
  const std::vector<MutableTensorView> outputs{good.mutable_view()}, wrong{three.mutable_view()};
  EXPECT_THROW(executor->Run(std::vector<TensorView>{two}, outputs), InternalError);
  EXPECT_THROW(executor->Run(std::vector<TensorView>{two, three}, outputs), InternalError);
  EXPECT_THROW(executor->Run(std::vector<TensorView>{two, two}, wrong), InternalError);
}

}  // namespace
}  // namespace mvd
