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

// One update of parameters that are not idle; state.steps counts it already.
void UpdateGroup(const Parameters& members, double learning_rate, double weight_decay, const AdamWOptions& o,
                 AdamWState& state) {
  std::vector<at::Tensor> values = Values(members), gradients = Gradients(members), first, second, steps;
  std::map<int64_t, at::Tensor> counts;
  for (const auto& [name, tensor] : members) {
    first.push_back(state.first.at(name)), second.push_back(state.second.at(name));
    const auto missed = state.missed.find(name);
    const int64_t count = state.steps - (missed == state.missed.end() ? 0 : missed->second);
    at::Tensor& shared = counts[count];
    if (!shared.defined())
      shared = at::full({}, double(count), at::TensorOptions(tensor.device()).dtype(at::kFloat));
    steps.push_back(shared);
  }
  at::_fused_adamw_(values, gradients, first, second, {}, steps, learning_rate, o.beta1, o.beta2,
                    weight_decay, o.eps, /*amsgrad=*/false, /*maximize=*/false);
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

Parameters MembersOf(const ParameterGroup& group, const Parameters& all) {
  Parameters members;
  for (const std::string& name : group.parameters) members.insert(*all.find(name));
  return members;
}

void UpdateAdamW(const Parameters& parameters, double learning_rate, const AdamWOptions& o, AdamWState& state,
                 const std::vector<ParameterGroup>& groups, const std::set<std::string>& idle) {
  const c10::NoGradGuard guard;
  ++state.steps;
  for (const std::string& name : idle) ++state.missed[name];
  const auto update = [&](Parameters members, double rate, double decay) {
    std::erase_if(members, [&](const auto& member) { return idle.contains(member.first); });
    if (!members.empty()) UpdateGroup(members, rate, decay, o, state);
  };
  if (groups.empty()) update(parameters, learning_rate, o.weight_decay);
  for (const ParameterGroup& group : groups)
    update(MembersOf(group, parameters), learning_rate * group.rate, group.decays ? o.weight_decay : 0);
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
