#include "mvd/exec/compare.h"

#include <gtest/gtest.h>

#include <limits>

#include "mvd/exec/null.h"
#include "mvd/exec/reference.h"
#include "mvd/ir/text.h"

namespace mvd {
namespace {

const char* const kGraph = R"(
x = Input {shape=(1,1,1,2,2)}
w = Weight : (2,2)
a = Linear(x, w)
b = Affine(a) {scale=2}
c = Affine(b) {scale=-1}
output y = c
output early = a
)";

// The reference on a graph that was tampered with: it stands for an executor with a bug in some nodes.
class Tampered : public Executor {
 public:
  using Tamper = std::function<void(Graph&)>;
  explicit Tampered(Tamper tamper, std::string hidden = "")
      : tamper_(std::move(tamper)), hidden_(std::move(hidden)), inner_(MakeReferenceExecutor({})) {}
  std::string_view Name() const override { return "tampered"; }
  std::string Unsupported(const Graph&, const Node&) const override { return ""; }
  MemoryPlan Plan(const Graph& graph) const override { return inner_->Plan(graph); }
  void Load(const Graph& graph, WeightSource& weights, const Progress& progress) override {
    Graph copy = graph;
    tamper_(copy);
    inner_->Load(copy, weights, progress);
  }
  void Run(std::span<const TensorView> inputs, std::span<const MutableTensorView> outputs,
           bool new_clip) override {
    inner_->Run(inputs, outputs, new_clip);
  }
  void SetObserver(NodeObserver observer) override {
    observed_ = observer != nullptr;
    inner_->SetObserver(!observer ? observer : [this, observer](const NodeRun& run) {
      if (run.node.name != hidden_) observer(run);
    });
  }
  bool observed() const { return observed_; }

 private:
  Tamper tamper_;
  std::string hidden_;
  std::unique_ptr<Executor> inner_;
  bool observed_ = false;
};

CompareReport Compare(Executor& a) {
  MapWeights weights;
  weights.Set("w", Tensor::FromVector({2, 2}, std::vector<float>{1, 2, 3, 4}));
  const Tensor x = Tensor::FromVector({1, 1, 1, 2, 2}, std::vector<float>{1, 0, 0, 1});
  const auto reference = MakeReferenceExecutor({});
  return CompareExecutors(a, *reference, Parse(kGraph), weights, std::vector<TensorView>{x}, 1e-6);
}

Tampered WithScale(const std::string& node, double scale, const std::string& hidden = "") {
  return Tampered([=](Graph& g) { std::get<AffineAttrs>(g.node(g.Find(node)).attrs).scale = scale; }, hidden);
}

TEST(CompareTest, FindsTheFirstNodeThatDiffers) {
  Tampered wrong = WithScale("b", 2.5);
  const CompareReport report = Compare(wrong);
  ASSERT_EQ(report.nodes.size(), 3u);
  EXPECT_EQ(report.nodes[0].node, "a");
  EXPECT_EQ(report.nodes[0].rel_rms, 0);
  ASSERT_TRUE(report.first_difference);
  EXPECT_EQ(*report.first_difference, 1u);
  EXPECT_DOUBLE_EQ(report.nodes[1].rel_rms, 0.25);  // 2.5 against 2
  EXPECT_DOUBLE_EQ(report.nodes[1].max_abs, 2);     // of the largest element, 4
  EXPECT_NEAR(report.nodes[1].cosine, 1, 1e-15);
  EXPECT_FALSE(report.first_nan);
  EXPECT_FALSE(report.Agrees());
  EXPECT_EQ(report.outputs[0].rel_rms, 0.25);
  EXPECT_EQ(report.outputs[1].rel_rms, 0);
  EXPECT_FALSE(wrong.observed());
  const std::string text = FormatCompare(report, 1);
  EXPECT_NE(text.find("tampered against reference: differ"), std::string::npos) << text;
  EXPECT_NE(text.find("first beyond it:\n   2.500e-01  2.000e+00  1.0000000  b (Affine) (1,1,1,2,2)\n"),
            std::string::npos)
      << text;
}

TEST(CompareTest, FindsTheFirstNaN) {
  Tampered wrong = WithScale("b", std::numeric_limits<double>::quiet_NaN());
  const CompareReport report = Compare(wrong);
  ASSERT_TRUE(report.first_nan);
  EXPECT_EQ(report.nodes[*report.first_nan].node, "b");
  EXPECT_TRUE(report.nodes[1].nan_a);
  EXPECT_FALSE(report.nodes[1].nan_b);
  EXPECT_EQ(report.first_difference, report.first_nan);
  EXPECT_NE(FormatCompare(report).find("not finite in the first\n"), std::string::npos);
}

TEST(CompareTest, ANodeOneDoesNotReportIsSkippedAndOutputsAreNot) {
  Tampered wrong = WithScale("c", 1, "c");
  const CompareReport report = Compare(wrong);
  EXPECT_EQ(report.nodes.size(), 2u);
  EXPECT_FALSE(report.first_difference);
  EXPECT_FALSE(report.Agrees());
  EXPECT_EQ(report.outputs[0].rel_rms, 2);
}

TEST(CompareTest, AgreesWithItself) {
  const auto reference = MakeReferenceExecutor({});
  const CompareReport report = Compare(*reference);
  EXPECT_EQ(report.nodes.size(), 3u);
  EXPECT_TRUE(report.Agrees());
  EXPECT_NE(FormatCompare(report).find("reference against reference: agree"), std::string::npos);
}

TEST(CompareTest, NullReportsNothing) {
  const auto null = MakeNullExecutor({});
  const CompareReport report = Compare(*null);
  EXPECT_TRUE(report.nodes.empty());
  EXPECT_FALSE(report.Agrees());
  EXPECT_EQ(report.outputs[0].rel_rms, 1);
}

}  // namespace
}  // namespace mvd
