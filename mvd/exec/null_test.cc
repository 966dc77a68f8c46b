#include "mvd/exec/null.h"

#include <gtest/gtest.h>

#include "mvd/ir/text.h"

namespace mvd {
namespace {

// Weights that fail the test when asked for anything.
class ForbiddenWeights : public WeightSource {
 public:
  std::string Origin() const override { return "forbidden"; }
  std::optional<TensorInfo> Find(const std::string& name) const override {
    ADD_FAILURE() << "looked for " << name;
    return std::nullopt;
  }
  TensorView Get(const std::string& name) override {
    ADD_FAILURE() << "read " << name;
    return {};
  }
  void Release(const std::string&) override {}
};

const char* const kGraph = R"(
x = Input {shape=(1,1,2,2,8)}
w = Weight : (16,8)
a = Linear(x, w) : (1,1,2,2,16)
b = Reshape(a) {shape=(1,1,1,4,16)}
c = Activation(b)
d = Slice(c) {axis=4, start=0, size=4}
e = Affine(d) {scale=2}
output y = e
)";

TEST(NullTest, RunsWithoutWeights) {
  const Graph graph = Parse(kGraph);
  ForbiddenWeights weights;
  const auto executor = MakeNullExecutor({});
  executor->Load(graph, weights);
  Tensor x = Tensor::Zeros({1, 1, 2, 2, 8});
  Tensor y = Tensor::FromVector({1, 1, 1, 4, 4}, std::vector<float>(16, 3));
  const std::vector<TensorView> inputs{x};
  const std::vector<MutableTensorView> outputs{y.mutable_view()};
  executor->Run(inputs, outputs);
  for (float v : y.f32()) EXPECT_EQ(v, 0);
}

TEST(NullTest, ChecksSizes) {
  const Graph graph = Parse(kGraph);
  ForbiddenWeights weights;
  const auto executor = MakeNullExecutor({});
  executor->Load(graph, weights);
  Tensor x = Tensor::Zeros({1, 1, 2, 2, 8}), small = Tensor::Zeros({1, 1, 2, 1, 8});
  EXPECT_THROW(RunGraph(*executor, graph, std::vector<TensorView>{small}), InternalError);
  EXPECT_THROW(RunGraph(*executor, graph, std::vector<TensorView>{x, x}), InternalError);
  Tensor y = Tensor::Zeros({1, 1, 1, 4, 5});
  const std::vector<MutableTensorView> outputs{y.mutable_view()};
  EXPECT_THROW(executor->Run(std::vector<TensorView>{x}, outputs), InternalError);
}

TEST(NullTest, VerifiesTheGraph) {
  Graph graph = Parse(kGraph);
  graph.nodes.back().shape = {1, 1, 1, 4, 5};
  ForbiddenWeights weights;
  EXPECT_THROW(MakeNullExecutor({})->Load(graph, weights), InternalError);
}

// a (64 elements; b is a view of it) and c (64) are alive together: the peak. d and e have 16 each.
TEST(NullTest, PlansByLiveness) {
  const Graph graph = Parse(kGraph);
  MemoryPlan plan = MakeNullExecutor({})->Plan(graph);
  EXPECT_EQ(plan.weight_bytes, 4 * 16 * 8);
  EXPECT_EQ(plan.activation_bytes, 4 * (64 + 64));
  EXPECT_EQ(plan.scratch_bytes, 0);
  plan = MakeNullExecutor({.dtype = DType::kBF16})->Plan(graph);
  EXPECT_EQ(plan.total(), 2 * (16 * 8 + 64 + 64));
}

// A product made at load time replaces its two factors; a clip's value stays alive beside the step's peak.
TEST(NullTest, PlansPhases) {
  const Graph graph = Parse(R"(
x = Input {shape=(1,1,1,5,4)}
u = Weight : (6,3)
v = Weight : (3,4)
w = WeightProduct(u, v) @load
s = Input {shape=(1,1,1,1,6), phase=clip}
t = Affine(s) {scale=2} @clip
y = Linear(x, w)
z = Add(y, t)
output z = z
)");
  const MemoryPlan plan = MakeNullExecutor({})->Plan(graph);
  EXPECT_EQ(plan.weight_bytes, 4 * 6 * 4);
  EXPECT_EQ(plan.activation_bytes, 4 * (6 + 30 + 30));
}

}  // namespace
}  // namespace mvd
