#include "mvd/torch/torch_executor.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>

#include "mvd/base/stopwatch.h"
#include "mvd/base/thread_limits.h"
#include "mvd/torch/torch_graph.h"
#include "mvd/torch/torch_run.h"

namespace mvd {
namespace {

// PyTorch has one number of threads a process; restored behind each call.
class ScopedTorchThreads {
 public:
  explicit ScopedTorchThreads(const Threads& threads) : previous_(at::get_num_threads()) {
    at::set_num_threads(StartableThreads(threads.count));
  }
  ~ScopedTorchThreads() { at::set_num_threads(previous_); }
  ScopedTorchThreads(const ScopedTorchThreads&) = delete;
  ScopedTorchThreads& operator=(const ScopedTorchThreads&) = delete;

 private:
  int previous_;
};

at::Tensor Borrow(const TensorView& view) {
  return at::from_blob(const_cast<void*>(view.data), view.shape.dims(), at::TensorOptions(at::kFloat));
}

Tensor ToTensor(const at::Tensor& value, const Shape& shape) {
  Tensor copy(shape);
  Borrow(copy).copy_(value);
  return copy;
}

class TorchExecutor : public Executor {
 public:
  explicit TorchExecutor(const ExecOptions& options) : options_(options) {
    if (options.dtype != DType::kF32 && options.dtype != DType::kBF16) {
      ThrowUsage("the torch executor computes in f32 or bf16, not ", mvd::Name(options.dtype));
    }
    context_.compute = options.dtype == DType::kBF16 ? at::kBFloat16 : at::kFloat;
  }

  std::string_view Name() const override { return "torch"; }
  std::string Unsupported(const Graph&, const Node&) const override { return ""; }

  // An estimate: PyTorch allocates while it runs. The most bytes of values alive at one node, no scratch.
  MemoryPlan Plan(const Graph& graph) const override {
    const TorchPlan plan = MakeTorchPlan(graph, context_, 1);
    MemoryPlan memory;
    const int64_t size = int64_t(SizeOf(options_.dtype));
    int64_t alive = 0;
    for (size_t i = 0; i < plan.graph.nodes.size(); ++i) {
      const Node& node = plan.graph.nodes[i];
      if (!plan.needed[i]) continue;
      const int64_t bytes = CheckedMul(size, node.shape.elements());
      if (node.op == Op::kWeight) {
        memory.weight_bytes += bytes;
        continue;
      }
      alive += bytes;
      memory.activation_bytes = std::max(memory.activation_bytes, alive);
      for (ValueId dead : plan.dead[i]) alive -= size * plan.graph.shape(dead).elements();
    }
    return memory;
  }

  void Load(const Graph& graph, WeightSource& weights, const Progress& progress) override {
    const ScopedTorchThreads threads(options_.threads);
    const at::NoGradGuard no_gradients;
    plan_ = MakeTorchPlan(graph, context_, 1);
    values_.assign(graph.nodes.size(), at::Tensor());
    const std::vector<at::ScalarType> types = torch_ops::WeightTypes(context_, graph);
    const auto ids = graph.All(Op::kWeight);
    for (size_t i = 0; i < ids.size(); ++i) {
      if (options_.cancel) options_.cancel->Poll();
      const size_t id = size_t(ids[i]);
      const Tensor value = ConvertTo(GetWeight(weights, graph.nodes[id]), DType::kF32);
      weights.Release(graph.nodes[id].name);
      values_[id] = Borrow(value).to(types[id], false, true);
      if (progress) progress("weights", double(i + 1) / double(ids.size()));
    }
    Compute(Phase::kLoad, Phase::kLoad);
  }

  void Run(std::span<const TensorView> inputs, std::span<const MutableTensorView> outputs,
           bool new_clip) override {
    const ScopedTorchThreads threads(options_.threads);
    const at::NoGradGuard no_gradients;
    const Graph& graph = plan_.graph;
    const auto ids = graph.All(Op::kInput);
    MVD_CHECK_EQ(ids.size(), inputs.size());
    MVD_CHECK_EQ(graph.outputs.size(), outputs.size());
    std::vector<Tensor> converted;
    for (size_t i = 0; i < ids.size(); ++i) {
      MVD_CHECK_EQ(inputs[i].shape.elements(), graph.shape(ids[i]).elements());
      converted.push_back(ConvertTo(inputs[i], DType::kF32));
      const at::Tensor given = Borrow(converted.back()).view(graph.shape(ids[i]).dims());
      // A view of it may be a value of the clip, which outlives this call.
      values_[size_t(ids[i])] = graph.node(ids[i]).phase == Phase::kStep ? given : given.clone();
    }
    Compute(new_clip ? Phase::kClip : Phase::kStep, Phase::kStep);
    for (size_t i = 0; i < outputs.size(); ++i) {
      const Shape& shape = graph.shape(graph.outputs[i].value);
      MVD_CHECK_EQ(outputs[i].shape.elements(), shape.elements());
      Borrow({DType::kF32, shape, outputs[i].f32().data()}).copy_(values_[size_t(graph.outputs[i].value)]);
    }
    Forget(graph);
  }

  void SetObserver(NodeObserver observer) override { observer_ = std::move(observer); }

 private:
  void Compute(Phase from, Phase to) {
    for (size_t i = 0; i < plan_.graph.nodes.size(); ++i) {
      const Node& node = plan_.graph.nodes[i];
      if (!plan_.needed[i] || node.op == Op::kInput || node.op == Op::kWeight) continue;
      if (node.phase >= from && node.phase <= to) {
        if (options_.cancel) options_.cancel->Poll();
        const Stopwatch watch;
        values_[i] = torch_ops::Evaluate(context_, node, NodeInputs(node, values_));
        if (observer_) observer_({node, watch.Seconds(), [&] { return ToTensor(values_[i], node.shape); }});
      }
      for (ValueId dead : plan_.dead[i]) {
        if (plan_.graph.node(dead).phase == Phase::kStep) values_[size_t(dead)] = at::Tensor();
      }
    }
  }

  // What is left borrows the caller's inputs, or is an output that has been copied.
  void Forget(const Graph& graph) {
    for (size_t i = 0; i < values_.size(); ++i) {
      const bool kept = graph.nodes[i].op == Op::kWeight || graph.nodes[i].phase != Phase::kStep;
      if (!kept || graph.nodes[i].op == Op::kInput) values_[i] = at::Tensor();
    }
  }

  ExecOptions options_;
  torch_ops::Context context_;
  TorchPlan plan_;
  std::vector<at::Tensor> values_;
  NodeObserver observer_;
};

}  // namespace

bool HasTorchExecutor() { return true; }

std::unique_ptr<Executor> MakeTorchExecutor(const ExecOptions& options) {
  return std::make_unique<TorchExecutor>(options);
}

}  // namespace mvd
