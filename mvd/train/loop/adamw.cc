#include "mvd/train/loop/adamw.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <cmath>
#include <vector>

namespace mvd {
namespace {

std::vector<at::Tensor> Values(const TensorMap& map) {
  std::vector<at::Tensor> values;
  for (const auto& [name, tensor] : map) values.push_back(tensor.detach());
  return values;
}

std::vector<at::Tensor> Gradients(const Parameters& parameters) {
  std::vector<at::Tensor> gradients;
  for (const auto& [name, tensor] : parameters) {
    if (!tensor.grad().defined()) tensor.mutable_grad() = at::zeros_like(tensor);
    gradients.push_back(tensor.grad());
  }
  return gradients;
}

}  // namespace

AdamWState MakeAdamW(const Parameters& parameters) {
  AdamWState state;
  for (const auto& [name, tensor] : parameters) {
    state.first[name] = at::zeros_like(tensor.detach());
    state.second[name] = at::zeros_like(tensor.detach());
  }
  return state;
}

double ClipGradients(const Parameters& parameters, double most) {
  const c10::NoGradGuard guard;
  std::vector<at::Tensor> gradients = Gradients(parameters);
  const double norm = at::stack(at::_foreach_norm(gradients)).norm().item<double>();
  // A norm that is not finite is the caller's to judge: scaling by it would hide which gradient it was.
  if (most > 0 && norm > most && std::isfinite(norm)) at::_foreach_mul_(gradients, most / norm);
  return norm;
}

void UpdateAdamW(const Parameters& parameters, double learning_rate, const AdamWOptions& o,
                 AdamWState& state) {
  const c10::NoGradGuard guard;
  std::vector<at::Tensor> values = Values(parameters), gradients = Gradients(parameters);
  std::vector<at::Tensor> first = Values(state.first), second = Values(state.second), steps;
  ++state.steps;
  if (values.empty()) return;
  const at::Tensor count =
      at::full({}, double(state.steps), at::TensorOptions(values[0].device()).dtype(at::kFloat));
  steps.assign(values.size(), count);
  at::_fused_adamw_(values, gradients, first, second, {}, steps, learning_rate, o.beta1, o.beta2,
                    o.weight_decay, o.eps, /*amsgrad=*/false, /*maximize=*/false);
}

void ClearGradients(const Parameters& parameters) {
  for (const auto& [name, tensor] : parameters) tensor.mutable_grad().reset();
}

TensorMap CloneDetached(const Parameters& parameters) {
  TensorMap copy;
  for (const auto& [name, tensor] : parameters) copy[name] = tensor.detach().clone();
  return copy;
}

void UpdateAverage(const Parameters& parameters, double decay, TensorMap& average) {
  const c10::NoGradGuard guard;
  std::vector<at::Tensor> mean = Values(average);
  at::_foreach_lerp_(mean, Values(parameters), 1 - decay);
}

}  // namespace mvd
