#include "mvd/exec/reference.h"

#include "mvd/base/stopwatch.h"
#include "mvd/exec/reference_ops.h"

namespace mvd {

Tensor EvaluateNode(const Node& node, const std::vector<const Tensor*>& in, const Threads& threads) {
  Tensor out(node.shape);
  switch (node.op) {
    case Op::kInput:
    case Op::kWeight:
      MVD_CHECK(false, node.name, " is not computed");
      break;
    case Op::kConv2d:
      reference::Conv2d(node, in, threads, out);
      break;
    case Op::kConvTemporal:
      reference::ConvTemporal(node, in, threads, out);
      break;
    case Op::kLinear:
      reference::Linear(node, in, threads, out);
      break;
    case Op::kWeightProduct:
      reference::WeightProduct(node, in, threads, out);
      break;
    case Op::kGroupNorm:
      reference::GroupNorm(node, in, threads, out);
      break;
    case Op::kLayerNorm:
      reference::LayerNorm(node, in, threads, out);
      break;
    case Op::kAttention:
      reference::Attention(node, in, threads, out);
      break;
    case Op::kActivation:
    case Op::kGeglu:
    case Op::kAffine:
    case Op::kBlend:
    case Op::kTimestep:
    case Op::kFrameIndices:
      reference::Pointwise(node, in, out);
      break;
    case Op::kAdd:
    case Op::kMultiply:
    case Op::kExpand:
      reference::Broadcast(node, in, out);
      break;
    case Op::kConcat:
    case Op::kSlice:
    case Op::kReshape:
    case Op::kResizeNearest:
    case Op::kMaxPool:
      reference::Rearrange(node, in, out);
      break;
    case Op::kWarp:
      reference::Warp(in, out);
      break;
  }
  return out;
}

namespace {

class ReferenceExecutor : public Executor {
 public:
  explicit ReferenceExecutor(const ExecOptions& options) : options_(options) {}

  std::string_view Name() const override { return "reference"; }

  std::string Unsupported(const Graph&, const Node&) const override {
    return options_.dtype == DType::kF32 ? "" : "the reference computes in f32 alone";
  }

  MemoryPlan Plan(const Graph& graph) const override {
    MemoryPlan plan;
    for (const Node& node : graph.nodes) {
      (node.op == Op::kWeight ? plan.weight_bytes : plan.activation_bytes) += 4 * node.shape.elements();
    }
    return plan;
  }

  void Load(const Graph& graph, WeightSource& weights, const Progress& progress) override {
    if (options_.dtype != DType::kF32)
      ThrowUsage("the reference executor computes in f32, not ", mvd::Name(options_.dtype));
    graph_ = graph;
    values_.clear();
    values_.resize(graph_.nodes.size());
    uses_ = CountUses(graph_);
    const auto names = graph_.All(Op::kWeight);
    for (size_t i = 0; i < names.size(); ++i) {
      if (options_.cancel) options_.cancel->Poll();
      const Node& node = graph_.node(names[i]);
      values_[size_t(names[i])] = ConvertTo(GetWeight(weights, node), DType::kF32);
      weights.Release(node.name);
      if (progress) progress("weights", double(i + 1) / double(names.size()));
    }
    Compute(Phase::kLoad, Phase::kLoad);
  }

  void Run(std::span<const TensorView> inputs, std::span<const MutableTensorView> outputs,
           bool new_clip) override {
    const auto ids = graph_.All(Op::kInput);
    MVD_CHECK_EQ(ids.size(), inputs.size());
    MVD_CHECK_EQ(graph_.outputs.size(), outputs.size());
    for (size_t i = 0; i < ids.size(); ++i) {
      MVD_CHECK_EQ(inputs[i].shape.elements(), graph_.shape(ids[i]).elements());
      values_[size_t(ids[i])] = ConvertTo(inputs[i], DType::kF32);
    }
    Compute(new_clip ? Phase::kClip : Phase::kStep, Phase::kStep);
    for (size_t i = 0; i < outputs.size(); ++i) {
      const Tensor& value = values_[size_t(graph_.outputs[i].value)];
      MVD_CHECK_EQ(outputs[i].shape.elements(), value.elements());
      std::copy(value.f32().begin(), value.f32().end(), outputs[i].f32().begin());
    }
  }

  void SetObserver(NodeObserver observer) override { observer_ = std::move(observer); }

 private:
  // Runs the nodes whose phase lies in [from, to]; a value of phase kStep goes when its last reader has run.
  void Compute(Phase from, Phase to) {
    std::vector<int> left = uses_;
    for (size_t i = 0; i < graph_.nodes.size(); ++i) {
      const Node& node = graph_.nodes[i];
      if (node.op == Op::kInput || node.op == Op::kWeight || node.phase < from || node.phase > to) continue;
      if (options_.cancel) options_.cancel->Poll();
      std::vector<const Tensor*> in;
      for (ValueId input : node.inputs) in.push_back(input == kNoValue ? nullptr : &values_[size_t(input)]);
      const Stopwatch watch;
      values_[i] = EvaluateNode(node, in, options_.threads);
      if (observer_) observer_({node, watch.Seconds(), [&] { return values_[i].Clone(); }});
      for (ValueId input : node.inputs) {
        if (input == kNoValue || --left[size_t(input)] > 0) continue;
        if (graph_.node(input).phase == Phase::kStep) values_[size_t(input)] = Tensor();
      }
    }
  }

  ExecOptions options_;
  Graph graph_;
  std::vector<Tensor> values_;
  std::vector<int> uses_;
  NodeObserver observer_;
};

}  // namespace

std::unique_ptr<Executor> MakeReferenceExecutor(const ExecOptions& options) {
  return std::make_unique<ReferenceExecutor>(options);
}

}  // namespace mvd
