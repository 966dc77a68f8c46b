#include "mvd/torch/torch_graph.h"

#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/autograd/generated/variable_factories.h>

#include <utility>

#include "mvd/base/error.h"
#include "mvd/exec/executor.h"
#include "mvd/torch/torch_run.h"

namespace mvd {

using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

struct TorchGraph::Plan : TorchPlan {
  TorchGraphOptions options;
};

namespace {

using Values = std::vector<at::Tensor>;

// Runs the nodes [first, end) on `values`, which has what comes before; values nobody reads any more go.
void RunNodes(const TorchPlan& plan, size_t first, size_t end, bool nan_guard, Values& values) {
  for (size_t i = first; i < end; ++i) {
    const Node& node = plan.graph.nodes[i];
    if (!plan.needed[i] || node.op == Op::kInput || node.op == Op::kWeight) continue;
    values[i] = torch_ops::Evaluate(plan.context, node, NodeInputs(node, values));
    if (nan_guard && !IsFinite(values[i])) {
      throw Error(Exit::kCheckFailed, "",
                  StrCat("node '", node.name, "' (", Name(node.op),
                         ") has a value that is not finite, the first to have one"));
    }
    for (ValueId dead : plan.dead[i]) values[size_t(dead)] = at::Tensor();
  }
}

variable_list RunSegment(const TorchPlan& plan, const TorchSegment& segment, bool nan_guard,
                         const variable_list& inputs) {
  Values values(plan.graph.nodes.size());
  for (size_t i = 0; i < inputs.size(); ++i) values[size_t(segment.inputs[i])] = inputs[i];
  RunNodes(plan, segment.first, segment.end, nan_guard, values);
  variable_list outputs;
  for (ValueId id : segment.outputs) outputs.push_back(values[size_t(id)]);
  return outputs;
}

// Keeps a segment's inputs alone and runs it again for its gradients.
struct RecomputedSegment : torch::autograd::Function<RecomputedSegment> {
  static variable_list forward(AutogradContext* ctx, const TorchPlan* plan, const TorchSegment* segment,
                               bool nan_guard, at::TensorList given) {
    const variable_list inputs = given.vec();
    ctx->save_for_backward(inputs);
    ctx->saved_data["plan"] = reinterpret_cast<int64_t>(plan);
    ctx->saved_data["segment"] = reinterpret_cast<int64_t>(segment);
    return RunSegment(*plan, *segment, nan_guard, inputs);
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& gradients) {
    // The gradients made below are constants to autograd. Whoever differentiates them gets nothing.
    MVD_CHECK(!at::GradMode::is_enabled(), "recomputed segments have no second derivative");
    const auto* plan = reinterpret_cast<const TorchPlan*>(ctx->saved_data["plan"].toInt());
    const auto* segment = reinterpret_cast<const TorchSegment*>(ctx->saved_data["segment"].toInt());
    const variable_list saved = ctx->get_saved_variables();
    variable_list inputs, wanted, results(3);
    for (size_t i = 0; i < saved.size(); ++i) {
      inputs.push_back(saved[i].detach());
      if (!ctx->needs_input_grad(i)) continue;
      inputs.back().requires_grad_(true);
      wanted.push_back(inputs.back());
    }
    variable_list outputs, seeds;
    {
      const at::AutoGradMode with_gradients(true);
      const variable_list all = RunSegment(*plan, *segment, false, inputs);
      for (size_t i = 0; i < all.size(); ++i) {
        if (!gradients[i].defined() || !all[i].requires_grad()) continue;
        outputs.push_back(all[i]);
        seeds.push_back(gradients[i]);
      }
    }
    variable_list made(wanted.size());
    if (!outputs.empty() && !wanted.empty())
      made = torch::autograd::grad(outputs, wanted, seeds, std::nullopt, false, true);
    for (size_t i = 0, k = 0; i < saved.size(); ++i) {
      results.push_back(inputs[i].requires_grad() ? made[k++] : at::Tensor());
    }
    return results;
  }
};

// The value itself; parameters that cannot change it have a gradient of zero all the same, as in PyTorch.
struct ZeroGradients : torch::autograd::Function<ZeroGradients> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& value, at::TensorList idle) {
    ctx->save_for_backward(idle.vec());
    return value.view_as(value);
  }
  static variable_list backward(AutogradContext* ctx, const variable_list& gradients) {
    variable_list results{gradients[0]};
    for (const Variable& idle : ctx->get_saved_variables()) results.push_back(at::zeros_like(idle));
    return results;
  }
};

const at::Tensor& Lookup(const TensorMap& map, const std::string& name, const char* what) {
  const auto found = map.find(name);
  MVD_CHECK(found != map.end(), what, " '", name, "' is missing");
  return found->second;
}

// Inputs, and weights: matrices as one copy in the compute type.
Values PlaceGiven(const TorchPlan& plan, const Parameters& parameters, const TensorMap& inputs) {
  const Graph& graph = plan.graph;
  Values values(graph.nodes.size());
  const std::vector<at::ScalarType> types = torch_ops::WeightTypes(plan.context, graph);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    if (node.op == Op::kWeight && plan.needed[i]) {
      values[i] = Lookup(parameters, node.name, "parameter").to(types[i]);
    }
    if (node.op == Op::kInput) {
      const at::Tensor& given = Lookup(inputs, node.name, "input");
      MVD_CHECK_EQ(given.numel(), node.shape.elements());
      values[i] = given.to(plan.context.device, plan.context.wide()).reshape(node.shape.dims());
    }
  }
  return values;
}

variable_list IdleParameters(const TorchPlan& plan, const Parameters& parameters) {
  variable_list idle;
  for (size_t i = 0; i < plan.graph.nodes.size(); ++i) {
    const Node& node = plan.graph.nodes[i];
    if (node.op != Op::kWeight || plan.needed[i]) continue;
    const auto found = parameters.find(node.name);
    if (found != parameters.end() && found->second.requires_grad()) idle.push_back(found->second);
  }
  return idle;
}

}  // namespace

Parameters LoadParameters(const Graph& graph, WeightSource& weights, at::Device device, at::ScalarType type) {
  Parameters parameters;
  for (ValueId id : graph.All(Op::kWeight)) {
    const Node& node = graph.node(id);
    const Tensor value = ConvertTo(GetWeight(weights, node), DType::kF32);
    weights.Release(node.name);
    const at::Tensor borrowed =
        at::from_blob(const_cast<void*>(value.data()), node.shape.dims(), at::TensorOptions(at::kFloat));
    parameters[node.name] = borrowed.to(device, type, false, true).requires_grad_(true);
  }
  return parameters;
}

TorchGraph::TorchGraph(Graph graph, const TorchGraphOptions& options) : plan_(std::make_unique<Plan>()) {
  const torch_ops::Context context{options.compute, at::kCPU};
  static_cast<TorchPlan&>(*plan_) = MakeTorchPlan(std::move(graph), context, options.recompute_segments);
  plan_->options = options;
}
TorchGraph::~TorchGraph() = default;

const Graph& TorchGraph::graph() const { return plan_->graph; }

TensorMap TorchGraph::Run(const Parameters& parameters, const TensorMap& inputs) const {
  TorchPlan& plan = *plan_;
  const bool nan_guard = plan_->options.nan_guard;
  if (!parameters.empty()) plan.context.device = parameters.begin()->second.device();
  Values values = PlaceGiven(plan, parameters, inputs);
  if (plan_->options.recompute_segments > 0 && at::GradMode::is_enabled()) {
    for (const TorchSegment& segment : plan.segments) {
      variable_list given;
      for (ValueId id : segment.inputs) given.push_back(values[size_t(id)]);
      const variable_list made = RecomputedSegment::apply(&plan, &segment, nan_guard, at::TensorList(given));
      for (size_t i = 0; i < made.size(); ++i) values[size_t(segment.outputs[i])] = made[i];
    }
  } else {
    RunNodes(plan, 0, plan.graph.nodes.size(), nan_guard, values);
  }
  variable_list idle;
  if (at::GradMode::is_enabled()) idle = IdleParameters(plan, parameters);
  TensorMap outputs;
  for (const Output& output : plan.graph.outputs) {
    at::Tensor value = values[size_t(output.value)].to(plan.context.wide());
    if (!idle.empty()) value = ZeroGradients::apply(value, at::TensorList(idle));
    idle.clear();
    outputs[output.name] = value;
  }
  return outputs;
}

}  // namespace mvd
