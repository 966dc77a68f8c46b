// Gradients of every op in f64 on the torch graph against central differences, on the cases of the
// conformance test.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "mvd/torch/torch_graph.h"
#include "tests/op_cases.h"

namespace mvd {
namespace {

// Central differences with step h in f64 are off by h^2/6 of the third derivative and 1e-16/h of rounding:
// 1e-9 of losses near 1 with h = 1e-5. Elements are compared relative to the largest gradient of their
// tensor.
constexpr double kStep = 1e-5;
constexpr double kTolerance = 1e-6;
// Elements tried of each tensor, evenly spread: differences cost two runs each.
constexpr int64_t kTried = 12;

std::vector<OpCase> AllCases() {
  std::vector<OpCase> cases = RandomCases();
  for (OpCase& c : ClosedFormCases()) cases.push_back(std::move(c));
  return cases;
}

// Ops without a gradient: nothing to differentiate in (FrameIndices), or no computation.
bool HasGradient(Op op) { return op != Op::kInput && op != Op::kWeight && op != Op::kFrameIndices; }

// relu at exactly 0, as results worked out by hand have it, has no derivative to compare.
bool IsKinked(const OpCase& c) { return !c.expected.empty() && c.name.find("relu") != std::string::npos; }

// The leaves of a case: inputs and weights in f64.
struct Leaves {
  Parameters parameters;
  TensorMap inputs;
  std::vector<std::pair<std::string, at::Tensor>> All() const {
    std::vector<std::pair<std::string, at::Tensor>> all(parameters.begin(), parameters.end());
    all.insert(all.end(), inputs.begin(), inputs.end());
    return all;
  }
};

Leaves MakeLeaves(const OpCase& c) {
  Leaves leaves;
  MapWeights weights = CaseWeights(c);
  leaves.parameters = LoadParameters(c.graph, weights, at::kCPU, at::kDouble);
  const std::vector<Tensor> values = CaseInputs(c);
  const auto ids = c.graph.All(Op::kInput);
  for (size_t i = 0; i < ids.size(); ++i) {
    const Node& node = c.graph.node(ids[i]);
    at::Tensor value = at::empty(node.shape.dims(), at::kFloat);
    std::copy(values[i].f32().begin(), values[i].f32().end(), value.data_ptr<float>());
    leaves.inputs[node.name] = value.to(at::kDouble).requires_grad_(true);
  }
  return leaves;
}

// The sum of outputs, each element with a weight of its own that has nothing to do with the values.
at::Tensor Loss(const TorchGraph& graph, const Leaves& leaves) {
  at::Tensor loss = at::zeros({}, at::kDouble);
  for (const auto& [name, value] : graph.Run(leaves.parameters, leaves.inputs)) {
    const at::Tensor weights = at::arange(value.numel(), at::TensorOptions(at::kDouble)).mul(1.7).cos();
    loss = loss + (value.reshape({-1}) * weights).sum();
  }
  return loss;
}

double Difference(const TorchGraph& graph, const Leaves& leaves, const at::Tensor& leaf, int64_t element) {
  double* value = leaf.data_ptr<double>() + element;
  const double before = *value;
  *value = before + kStep;
  const double above = Loss(graph, leaves).item<double>();
  *value = before - kStep;
  const double below = Loss(graph, leaves).item<double>();
  *value = before;
  return (above - below) / (2 * kStep);
}

void CheckCase(const OpCase& c, int segments) {
  SCOPED_TRACE(c.name + ", " + std::to_string(segments) + " segments");
  const TorchGraph graph(c.graph, {.compute = at::kDouble, .recompute_segments = segments});
  const Leaves leaves = MakeLeaves(c);
  Loss(graph, leaves).backward();
  for (const auto& [name, leaf] : leaves.All()) {
    SCOPED_TRACE(name);
    // One that the result does not depend on may have none.
    const at::Tensor gradient =
        leaf.grad().defined() ? leaf.grad().contiguous() : at::zeros_like(leaf.detach());
    const double largest = std::max(1e-3, gradient.abs().max().item<double>());
    const at::Tensor values = leaf.detach();
    const int64_t stride = std::max<int64_t>(1, leaf.numel() / kTried);
    for (int64_t i = 0; i < leaf.numel(); i += stride) {
      const double want = Difference(graph, leaves, values, i);
      ASSERT_NEAR(gradient.data_ptr<double>()[i], want, kTolerance * largest) << "element " << i;
    }
  }
}

class TorchGradientOf : public testing::TestWithParam<std::string_view> {};

TEST_P(TorchGradientOf, MatchesDifferences) {
  int checked = 0;
  for (const OpCase& c : AllCases()) {
    if (Name(c.op()) != GetParam() || IsKinked(c)) continue;
    CheckCase(c, 0);
    CheckCase(c, 2);
    ++checked;
  }
  EXPECT_GE(checked, 1);
}

std::vector<std::string_view> OpNames() {
  std::vector<std::string_view> names;
  for (const OpInfo& info : AllOps()) {
    if (HasGradient(info.op)) names.push_back(info.name);
  }
  return names;
}

INSTANTIATE_TEST_SUITE_P(EachOp, TorchGradientOf, testing::ValuesIn(OpNames()),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace mvd
