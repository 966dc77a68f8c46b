#include "mvd/exec/null.h"

#include <algorithm>

namespace mvd {
namespace {

// A Reshape looks at its input's bytes.
std::vector<ValueId> Storage(const Graph& graph) {
  std::vector<ValueId> storage(graph.nodes.size());
  for (size_t i = 0; i < storage.size(); ++i) {
    const Node& node = graph.nodes[i];
    storage[i] = node.op == Op::kReshape ? storage[size_t(node.inputs[0])] : ValueId(i);
  }
  return storage;
}

// The last node that needs each value's bytes. What outlives its own phase, and outputs, are needed to the
// end.
std::vector<size_t> LastUses(const Graph& graph, const std::vector<ValueId>& storage) {
  std::vector<size_t> last(graph.nodes.size());
  const size_t end = graph.nodes.size();
  for (size_t i = 0; i < end; ++i) {
    last[i] = std::max(last[i], i);
    for (ValueId input : graph.nodes[i].inputs) {
      if (input == kNoValue) continue;
      const size_t owner = size_t(storage[size_t(input)]);
      last[owner] = std::max(last[owner], graph.node(input).phase < graph.nodes[i].phase ? end : i);
    }
  }
  for (const Output& output : graph.outputs) last[size_t(storage[size_t(output.value)])] = end;
  return last;
}

class NullExecutor : public Executor {
 public:
  explicit NullExecutor(const ExecOptions& options) : options_(options) {}

  std::string_view Name() const override { return "null"; }
  std::string Unsupported(const Graph&, const Node&) const override { return ""; }

  MemoryPlan Plan(const Graph& graph) const override {
    MemoryPlan plan;
    const auto storage = Storage(graph);
    const auto last = LastUses(graph, storage);
    const size_t end = graph.nodes.size();
    std::vector<int64_t> freed(end + 1, 0);
    int64_t alive = 0;
    for (size_t i = 0; i < end; ++i) {
      const Node& node = graph.nodes[i];
      const int64_t bytes = node.shape.elements() * int64_t(SizeOf(options_.dtype));
      const bool is_view = storage[i] != ValueId(i);
      if (node.phase == Phase::kLoad) {  // a constant: kept where it outlives loading
        if (!is_view && last[i] == end) plan.weight_bytes += bytes;
      } else if (!is_view && node.op != Op::kInput) {  // inputs are the caller's memory
        alive += bytes;
        freed[last[i]] += bytes;
        plan.activation_bytes = std::max(plan.activation_bytes, alive);
      }
      alive -= freed[i];
    }
    return plan;
  }

  void Load(const Graph& graph, WeightSource&, const Progress& progress) override {
    Verify(graph);
    input_sizes_.clear();
    output_sizes_.clear();
    for (ValueId id : graph.All(Op::kInput)) input_sizes_.push_back(graph.shape(id).elements());
    for (const Output& output : graph.outputs) output_sizes_.push_back(graph.shape(output.value).elements());
    if (progress) progress("weights", 1);
  }

  void Run(std::span<const TensorView> inputs, std::span<const MutableTensorView> outputs, bool) override {
    if (options_.cancel) options_.cancel->Poll();
    MVD_CHECK_EQ(inputs.size(), input_sizes_.size());
    MVD_CHECK_EQ(outputs.size(), output_sizes_.size());
    for (size_t i = 0; i < inputs.size(); ++i) MVD_CHECK_EQ(inputs[i].shape.elements(), input_sizes_[i]);
    for (size_t i = 0; i < outputs.size(); ++i) {
      MVD_CHECK_EQ(outputs[i].shape.elements(), output_sizes_[i]);
      std::ranges::fill(outputs[i].f32(), 0.0f);
    }
  }

  void SetObserver(NodeObserver) override {}

 private:
  ExecOptions options_;
  std::vector<int64_t> input_sizes_, output_sizes_;
};

}  // namespace

std::unique_ptr<Executor> MakeNullExecutor(const ExecOptions& options) {
  return std::make_unique<NullExecutor>(options);
}

}  // namespace mvd
