#include "mvd/exec/compare.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <numeric>

namespace mvd {
namespace {

NodeDifference Differ(std::string name, Op op, const Tensor& a, const Tensor& b) {
  MVD_CHECK_EQ(a.elements(), b.elements());
  const ErrorMetrics metrics = Measure(a.f32(), b.f32());
  return {.node = std::move(name),
          .op = op,
          .shape = b.shape(),
          .rel_rms = metrics.rel_rms,
          .max_abs = metrics.max_abs,
          .cosine = metrics.cosine,
          .nan_a = CountNonFinite(a.f32()) > 0,
          .nan_b = CountNonFinite(b.f32()) > 0};
}

// Keeps an executor's observer for a scope, so that it is cleared where Load or Run throws too.
class Observing {
 public:
  Observing(Executor& executor, NodeObserver observer) : executor_(executor) {
    executor_.SetObserver(std::move(observer));
  }
  ~Observing() { executor_.SetObserver({}); }
  Observing(const Observing&) = delete;
  Observing& operator=(const Observing&) = delete;

 private:
  Executor& executor_;
};

bool Beyond(const NodeDifference& d, double tolerance) { return !(d.rel_rms <= tolerance); }

std::string Row(const NodeDifference& d) {
  char figures[96];
  std::snprintf(figures, sizeof(figures), "%10.3e %10.3e  %9.7f", d.rel_rms, d.max_abs, d.cosine);
  std::string text =
      "  " + std::string(figures) + "  " + d.node + " (" + std::string(Name(d.op)) + ") " + ToString(d.shape);
  if (d.nan_a || d.nan_b)
    text += std::string("  not finite in ") + (d.nan_a && d.nan_b ? "both"
                                               : d.nan_a          ? "the first"
                                                                  : "the second");
  return text + "\n";
}

}  // namespace

bool CompareReport::Agrees() const {
  return !first_difference &&
         std::ranges::none_of(outputs, [&](const NodeDifference& d) { return Beyond(d, tolerance); });
}

CompareReport CompareExecutors(Executor& a, Executor& b, const Graph& graph, WeightSource& weights,
                               std::span<const TensorView> inputs, double tolerance) {
  CompareReport report;
  report.a = a.Name(), report.b = b.Name(), report.tolerance = tolerance;

  std::map<std::string, Tensor> values;
  std::vector<Tensor> outputs_a, outputs_b;
  {
    const Observing observing(
        a, [&](const NodeRun& run) { values.insert_or_assign(run.node.name, run.value()); });
    a.Load(graph, weights);
    outputs_a = RunGraph(a, graph, inputs);
  }
  std::map<ValueId, NodeDifference>
      differences;  // by position in the graph: an executor may order nodes anew
  {
    const Observing observing(b, [&](const NodeRun& run) {
      const Node& node = run.node;
      const auto found = values.find(node.name);
      const ValueId id = graph.Find(node.name);
      if (found == values.end() || id == kNoValue) return;
      differences.insert_or_assign(id, Differ(node.name, node.op, found->second, run.value()));
      values.erase(found);
    });
    b.Load(graph, weights);
    outputs_b = RunGraph(b, graph, inputs);
  }

  for (auto& [id, difference] : differences) {
    if (!report.first_difference && Beyond(difference, tolerance))
      report.first_difference = report.nodes.size();
    if (!report.first_nan && (difference.nan_a || difference.nan_b)) report.first_nan = report.nodes.size();
    report.nodes.push_back(std::move(difference));
  }
  for (size_t i = 0; i < graph.outputs.size(); ++i) {
    const Output& output = graph.outputs[i];
    report.outputs.push_back(Differ(output.name, graph.node(output.value).op, outputs_a[i], outputs_b[i]));
  }
  return report;
}

std::string FormatCompare(const CompareReport& report, size_t top_n) {
  char tolerance[32];
  std::snprintf(tolerance, sizeof(tolerance), "%g", report.tolerance);
  std::string text = report.a + " against " + report.b + ": " + (report.Agrees() ? "agree" : "differ") +
                     " at relative RMS " + tolerance + ", " + std::to_string(report.nodes.size()) +
                     " nodes compared\n";
  if (report.first_difference) text += "first beyond it:\n" + Row(report.nodes[*report.first_difference]);
  if (report.first_nan) text += "first that is not finite:\n" + Row(report.nodes[*report.first_nan]);

  std::vector<size_t> order(report.nodes.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::stable_sort(
      order, [&](size_t x, size_t y) { return report.nodes[x].rel_rms > report.nodes[y].rel_rms; });
  order.resize(std::min(top_n, order.size()));
  if (!order.empty()) text += "worst nodes:\n     rel_rms    max_abs     cosine  node\n";
  for (size_t i : order) text += Row(report.nodes[i]);
  text += "outputs:\n";
  for (const NodeDifference& output : report.outputs) text += Row(output);
  return text;
}

}  // namespace mvd
