#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>

#include "mvd/train/loop/adversarial_testing.h"
#include "mvd/train/loop/autoencoder.h"
#include "mvd/train/loop/features.h"

namespace mvd {
namespace {

struct Record : torch::autograd::PostAccumulateGradHook {
  Record(std::vector<std::string>* names, std::string name) : names(names), name(std::move(name)) {}
  void operator()(const torch::autograd::Variable&) override { names->push_back(name); }
  std::vector<std::string>* names;
  std::string name;
};

// Names of parameters as a backward pass of one step completes their gradients.
std::vector<std::string> OrderOfGradients(const TrainTask& task, const std::vector<TrainingItem>& items) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : task.trained)
    torch::autograd::impl::set_post_acc_grad_hooks(tensor, std::make_unique<Record>(&names, name));
  task.loss(task.trained, items, {.step = 1}).value.backward();
  for (const auto& [name, tensor] : task.trained)
    torch::autograd::impl::set_post_acc_grad_hooks(tensor, nullptr);
  return names;
}

// How much later than its own gradient a parameter is sent, as a share of the backward pass, where each one
// waits for those that `order` has before it: the mean over all parameters. 0: sending keeps up with the
// pass.
double WaitingShare(const std::vector<std::string>& order, const std::vector<std::string>& made) {
  std::map<std::string, size_t> arrival;
  for (size_t i = 0; i < made.size(); ++i) arrival[made[i]] = i;
  double waiting = 0;
  size_t latest = 0;
  for (const std::string& name : order) {
    if (!arrival.contains(name)) continue;  // not part of this step
    latest = std::max(latest, arrival[name]);
    waiting += double(latest - arrival[name]);
  }
  return waiting / double(made.size()) / double(made.size());
}

void ExpectSentAsMade(const TrainTask& task, const std::vector<TrainingItem>& items) {
  const std::vector<std::string> made = OrderOfGradients(task, items);
  EXPECT_GT(made.size(), task.trained.size() * 9 / 10) << task.kind;
  EXPECT_EQ(std::set<std::string>(task.backward_order.begin(), task.backward_order.end()).size(),
            task.trained.size());
  const double waiting = WaitingShare(task.backward_order, made);
  // 0.006 to 0.035; in reverse alphabetical order 0.21 to 0.41.
  EXPECT_LT(waiting, 0.05) << task.kind;
}

TEST(BackwardOrder, IsThatOfTheGradients) {
  AdversarialConfig c = Tiny();
  for (const char* pruning : {"none", "learned"}) {
    c.pruning = pruning, c.keep = 12;
    ExpectSentAsMade(MakeAdversarialTask(c, at::kCPU), Items(c, 1));
  }
  ExpectSentAsMade(MakeDiffusionTask(c, at::kCPU), Items(c, 1));
  AutoencoderConfig a;
  static_cast<CommonConfig&>(a) = c;
  a.adversarial = 1, a.adversarial_start = 0;
  ExpectSentAsMade(MakeAutoencoderTask(a, at::kCPU), Items(a, 1));
}

}  // namespace
}  // namespace mvd
