#include "mvd/train/loop/reducer.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>

#include <functional>
#include <set>

namespace mvd {
namespace {

// Calls a function once a parameter's gradient has been accumulated.
struct AfterGradient : torch::autograd::PostAccumulateGradHook {
  explicit AfterGradient(std::function<void()> call) : call(std::move(call)) {}
  void operator()(const torch::autograd::Variable&) override { call(); }
  std::function<void()> call;
};

}  // namespace

void BackwardOrderOf::Add(const Graph& graph, const std::string& prefix) {
  const std::vector<ValueId> weights = graph.All(Op::kWeight);
  for (auto it = weights.rbegin(); it != weights.rend(); ++it) Add(prefix + graph.node(*it).name);
}

void BackwardOrderOf::Add(const std::string& name) {
  if (trained_.contains(name)) names_.push_back(name);
}

std::vector<std::string> BackwardOrderOf::names() const {
  const std::set<std::string> once(names_.begin(), names_.end());
  MVD_CHECK_EQ(once.size(), names_.size());
  MVD_CHECK_EQ(names_.size(), trained_.size());
  return names_;
}

GradientReducer::GradientReducer(const Parameters& parameters, const std::vector<std::string>& order,
                                 Communicator& group, size_t bucket_bytes)
    : group_(group) {
  if (group.world() == 1) return;
  MVD_CHECK_EQ(order.size(), parameters.size());
  size_t bytes = 0;
  for (const std::string& name : order) {
    const at::Tensor& parameter = parameters.at(name);
    if (buckets_.empty() || bytes >= bucket_bytes) buckets_.emplace_back(), bytes = 0;
    bytes += parameter.nbytes();
    buckets_.back().parameters.push_back(parameter);
    const size_t index = buckets_.size() - 1;
    torch::autograd::impl::set_post_acc_grad_hooks(
        parameter, std::make_unique<AfterGradient>([this, index] { Ready(index); }));
  }
}

GradientReducer::~GradientReducer() {
  for (Bucket& bucket : buckets_) {
    for (at::Tensor& parameter : bucket.parameters)
      torch::autograd::impl::set_post_acc_grad_hooks(parameter, nullptr);
  }
}

void GradientReducer::Begin() {
  active_ = true;
  next_ = 0;
  for (Bucket& bucket : buckets_) bucket.ready = 0;
}

void GradientReducer::Ready(size_t index) {
  if (!active_) return;
  ++buckets_[index].ready;
  while (next_ < buckets_.size() && buckets_[next_].ready == buckets_[next_].parameters.size())
    Send(buckets_[next_++]);
}

void GradientReducer::Send(Bucket& bucket) {
  std::vector<at::Tensor> flat;
  for (at::Tensor& parameter : bucket.parameters) {
    if (!parameter.grad().defined()) parameter.mutable_grad() = at::zeros_like(parameter);
    flat.push_back(parameter.grad().reshape({-1}));
  }
  bucket.flat = at::cat(flat);
  group_.StartSum(bucket.flat);
}

void GradientReducer::Finish() {
  if (group_.world() == 1) return;
  active_ = false;
  while (next_ < buckets_.size()) Send(buckets_[next_++]);
  group_.Finish();
  for (Bucket& bucket : buckets_) {
    int64_t offset = 0;
    for (at::Tensor& parameter : bucket.parameters) {
      const at::Tensor part = bucket.flat.narrow(0, offset, parameter.numel()).view(parameter.sizes());
      parameter.mutable_grad().copy_(part / double(group_.world()));
      offset += parameter.numel();
    }
    bucket.flat.reset();
  }
}

}  // namespace mvd
