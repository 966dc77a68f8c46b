// Every op of ops.def in every executor: the reference against results worked out by hand, all others against
// the reference. An op without cases fails, so does an executor that cannot run one.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <set>

#include "mvd/cpu/cpu_executor.h"
#include "mvd/cpu/isa.h"
#include "mvd/exec/metrics.h"
#include "mvd/exec/null.h"
#include "mvd/exec/reference.h"
#include "mvd/torch/torch_executor.h"
#include "tests/op_cases.h"

namespace mvd {
namespace {

// f32 sums of up to 600 terms in any order leave about sqrt(600) x 6e-8 = 1.5e-6; vectorised exp, erf and
// tanh a few times 1e-7.
constexpr double kF32Tolerance = 1e-5;

// One row an executor that is held against the reference.
struct Contender {
  std::string name;
  std::unique_ptr<Executor> (*make)(const ExecOptions&);
  DType dtype = DType::kF32;
  std::string isa = "auto";
  double f32_tolerance = kF32Tolerance;
};

// bf16 keeps 8 significant bits: 2^-9 / sqrt(3) = 1.1e-3 relative RMS for each rounding of input, weight and
// output. Attention's exponent and the normalisations' subtraction make up to five times that of it.
constexpr double kBF16Tolerance = 1e-2;

std::vector<Contender> Contenders() {
  std::vector<Contender> list;
  for (const IsaLevel& level : IsaLevels()) {
    if (!level.supported() || !OneDnnAllows(level)) continue;
    const std::string isa(level.name);
    list.push_back({"cpu f32 " + isa, MakeCpuExecutor, DType::kF32, isa});
    if (level.bf16) list.push_back({"cpu bf16 " + isa, MakeCpuExecutor, DType::kBF16, isa});
  }
#ifdef MVD_TORCH
  // PyTorch's GroupNorm takes the variance as the mean of squares less the squared mean: 30^2 against 1 in
  // the case with a large mean costs three digits of which six remain elsewhere.
  list.push_back({"torch f32", MakeTorchExecutor, DType::kF32, "auto", 5e-5});
  list.push_back({"torch bf16", MakeTorchExecutor, DType::kBF16});
#endif
  return list;
}

std::vector<OpCase> AllCases() {
  std::vector<OpCase> cases = RandomCases();
  for (OpCase& c : ClosedFormCases()) cases.push_back(std::move(c));
  return cases;
}

std::vector<Tensor> RunOnce(Executor& executor, const OpCase& c) {
  const std::vector<Tensor> inputs = CaseInputs(c);
  const std::vector<TensorView> views(inputs.begin(), inputs.end());
  std::vector<Tensor> outputs;
  std::vector<MutableTensorView> targets;
  for (const Output& output : c.graph.outputs) {
    outputs.emplace_back(c.graph.shape(output.value));
    // What the executor leaves unwritten shows.
    std::ranges::fill(outputs.back().f32(), std::numeric_limits<float>::quiet_NaN());
  }
  for (Tensor& output : outputs) targets.push_back(output.mutable_view());
  executor.Run(views, targets);
  return outputs;
}

std::vector<Tensor> RunCase(Executor& executor, const OpCase& c) {
  MapWeights weights = CaseWeights(c);
  executor.Load(c.graph, weights);
  return RunOnce(executor, c);
}

bool SameBits(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && std::memcmp(a.data(), b.data(), a.view().bytes()) == 0;
}

TEST(OpConformance, EveryOpHasCases) {
  std::set<std::string> names;
  std::set<Op> random, closed;
  for (const OpCase& c : RandomCases()) {
    random.insert(c.op());
    EXPECT_TRUE(names.insert(c.name).second) << c.name << " twice";
  }
  for (const OpCase& c : ClosedFormCases()) {
    closed.insert(c.op());
    EXPECT_TRUE(names.insert(c.name).second) << c.name << " twice";
    EXPECT_FALSE(c.expected.empty()) << c.name;
  }
  for (const OpInfo& info : AllOps()) {
    if (info.op == Op::kInput || info.op == Op::kWeight) continue;
    EXPECT_TRUE(random.contains(info.op)) << info.name << " has no random case";
    EXPECT_TRUE(closed.contains(info.op)) << info.name << " has no result worked out by hand";
  }
}

// Double sums rounded to f32 once: half a unit in the last place, 6e-8 relative. Timestep alone forms its
// angle in f32, as the model it follows does: 100 rad are off by up to 4e-6.
TEST(OpConformance, ReferenceMatchesResultsByHand) {
  const auto reference = MakeReferenceExecutor({});
  for (const OpCase& c : ClosedFormCases()) {
    const std::vector<Tensor> outputs = RunCase(*reference, c);
    ASSERT_EQ(outputs[0].elements(), int64_t(c.expected.size())) << c.name;
    const double relative = c.op() == Op::kTimestep ? 4e-6 : 1e-7;
    for (size_t i = 0; i < c.expected.size(); ++i) {
      const float want = c.expected[i];
      EXPECT_NEAR(outputs[0].f32()[i], want, relative * std::max(1.0f, std::abs(want))) << c.name << " " << i;
    }
  }
}

TEST(OpConformance, ReferenceDoesNotDependOnThreads) {
  const auto one = MakeReferenceExecutor({.threads = {.count = 1}});
  const auto two = MakeReferenceExecutor({.threads = {.count = 2}});
  for (const OpCase& c : AllCases()) {
    const std::vector<Tensor> want = RunCase(*one, c), got = RunCase(*two, c);
    for (size_t i = 0; i < want.size(); ++i) {
      EXPECT_TRUE(SameBits(got[i], want[i])) << c.name;
      EXPECT_EQ(CountNonFinite(want[i].f32()), 0) << c.name;
    }
  }
}

TEST(OpConformance, NullTakesEveryCase) {
  const auto null = MakeNullExecutor({});
  for (const OpCase& c : AllCases()) {
    for (const Tensor& output : RunCase(*null, c)) {
      for (float v : output.f32()) ASSERT_EQ(v, 0) << c.name;
    }
  }
}

// One test an op, so that a filter can pick it; those without cases of their own pass at once.
class OpConformanceOf : public testing::TestWithParam<std::string_view> {};

TEST_P(OpConformanceOf, MatchTheReference) {
  const auto reference = MakeReferenceExecutor({});
  for (const OpCase& c : AllCases()) {
    if (Name(c.op()) != GetParam()) continue;
    const std::vector<Tensor> want = RunCase(*reference, c);
    for (const Contender& contender : Contenders()) {
      if (c.f32_only && contender.dtype != DType::kF32) continue;
      std::vector<Tensor> of_one_thread;
      for (int threads : {1, 2}) {
        SCOPED_TRACE(c.name + " in " + contender.name + ", " + std::to_string(threads) + " threads");
        const auto executor =
            contender.make({.dtype = contender.dtype, .threads = {.count = threads}, .isa = contender.isa});
        for (const Node& node : c.graph.nodes) ASSERT_EQ(executor->Unsupported(c.graph, node), "");
        const std::vector<Tensor> got = RunCase(*executor, c), again = RunOnce(*executor, c);
        for (size_t i = 0; i < want.size(); ++i) {
          const double tolerance = contender.dtype == DType::kF32 ? contender.f32_tolerance : kBF16Tolerance;
          EXPECT_LE(Measure(got[i].f32(), want[i].f32()).rel_rms, tolerance);
          EXPECT_TRUE(SameBits(again[i], got[i])) << "a second run differs";
          // PyTorch promises no such thing.
          if (threads > 1 && contender.name.starts_with("cpu")) {
            EXPECT_TRUE(SameBits(of_one_thread[i], got[i])) << "threads change the result";
          }
        }
        if (threads == 1) {
          for (const Tensor& tensor : got) of_one_thread.push_back(tensor.Clone());
        }
      }
    }
  }
}

std::vector<std::string_view> OpNames() {
  std::vector<std::string_view> names;
  for (const OpInfo& info : AllOps()) names.push_back(info.name);
  return names;
}

INSTANTIATE_TEST_SUITE_P(EachOp, OpConformanceOf, testing::ValuesIn(OpNames()),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace mvd
