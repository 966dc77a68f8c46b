#include "mvd/train/loop/pruning.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "mvd/base/error.h"
#include "mvd/compress/brewer.h"
#include "mvd/compress/inclusion.h"
#include "mvd/compress/unet_steps.h"
#include "mvd/models/unet_layout.h"

namespace mvd {
namespace {

std::set<std::string> WeightNames(const SvdUnetConfig& config) {
  const Graph graph = BuildSvdUnet(config, 1, 2, 8, 8);
  std::set<std::string> names;
  for (ValueId id : graph.All(Op::kWeight)) names.insert(graph.node(id).name);
  return names;
}

std::vector<double> Doubles(const at::Tensor& values) {
  const at::Tensor host = values.detach().to(at::kCPU, at::kDouble).contiguous();
  return {host.data_ptr<double>(), host.data_ptr<double>() + host.numel()};
}

double Sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

// (1,1,1,1,N)
at::Tensor Gates(const std::vector<uint8_t>& in) {
  const std::vector<float> values(in.begin(), in.end());
  return at::tensor(values, at::kFloat).view({1, 1, 1, 1, int64_t(values.size())});
}

}  // namespace

Pruning::Pruning(const SvdUnetConfig& unet, const AdversarialConfig& config)
    : unet_(unet),
      learned_(config.pruning == "learned"),
      keep_(config.keep),
      draw_steps_(config.draw_steps),
      temperature_(config.temperature),
      blocks_(KeptTemporalBlocks(unet)) {
  if (keep_ > int64_t(blocks_.size())) {
    ThrowBadInput("options", "key 'pruning.keep' is ", keep_, ", expected at most ", blocks_.size(),
                  ", the temporal blocks of the network");
  }
  const std::set<std::string> all = WeightNames(unet);
  for (const std::string& block : blocks_) {
    std::vector<std::string> others = blocks_, own;
    std::erase(others, block);
    CompressionSteps steps;
    steps.keep = others;
    const std::set<std::string> left = WeightNames(ApplySteps(unet, steps, "options"));
    for (const std::string& name : all)
      if (!left.contains(name)) own.push_back("unet." + name);
    weights_.push_back(std::move(own));
  }
}

at::Tensor Pruning::InitialLogits(const Parameters& unet) const {
  std::vector<at::Tensor> logits;
  for (const std::string& block : blocks_)
    logits.push_back(unet.at(block + "." + kMixFactor).detach().reshape({1}) * -temperature_);
  return at::cat(logits).clone().requires_grad_(true);
}

std::vector<double> Pruning::Importance(const Parameters& weights) const {
  std::vector<double> importance;
  if (learned_) {
    for (double logit : Doubles(weights.at(kPruningLogits)))
      importance.push_back(Sigmoid(logit / temperature_));
  } else {
    for (const std::string& block : blocks_)
      importance.push_back(Sigmoid(-weights.at("unet." + block + "." + kMixFactor).item<double>()));
  }
  // A sigmoid may round to 0, but an importance must be positive.
  for (double& q : importance) q = std::max(q, 1e-300);
  return importance;
}

GateDraw Pruning::Draw(const at::Tensor& logits, uint64_t seed, uint64_t draw) const {
  const std::vector<double> importance = Importance({{kPruningLogits, logits}});
  const Inclusion inclusion = SolveInclusion(importance, keep_);
  GateDraw result;
  result.in = BrewerSample(inclusion.probabilities, seed, draw);
  const int64_t count = int64_t(blocks_.size());
  result.gates = Gates(result.in);
  if (logits.requires_grad()) {
    // Row i of the Jacobian is dp_i/dq, so the gradient of the gates z reaches the importances as if z were
    // p.
    std::vector<double> jacobian;
    for (int64_t i = 0; i < count; ++i) {
      std::vector<double> unit(size_t(count), 0);
      unit[size_t(i)] = 1;
      const std::vector<double> row = InclusionGradient(importance, keep_, inclusion, unit);
      jacobian.insert(jacobian.end(), row.begin(), row.end());
    }
    const at::Tensor q = at::sigmoid(logits.to(at::kCPU, at::kDouble) / temperature_);
    const at::Tensor through = at::matmul(at::tensor(jacobian, at::kDouble).view({count, count}), q);
    result.gates = result.gates + (through - through.detach()).to(at::kFloat).view_as(result.gates);
  }
  result.gates = result.gates.to(logits.device());
  return result;
}

void Pruning::Settle(const Parameters& trained, int64_t step) {
  if (settled_.empty() && learned_ && !Draws(step))
    settled_ = MostImportantBlocks(unet_, Importance(trained), keep_);
}

void Pruning::RestoreSettled(const std::vector<std::string>& blocks, const std::string& file) {
  std::vector<std::string> known;
  for (const std::string& block : blocks_)
    if (std::find(blocks.begin(), blocks.end(), block) != blocks.end()) known.push_back(block);
  if (known.size() != blocks.size() || int64_t(known.size()) != keep_) {
    ThrowBadInput(file, "names ", blocks.size(), " settled temporal blocks, ", known.size(),
                  " of which the network has, expected ", keep_);
  }
  settled_ = std::move(known);
}

GateDraw Pruning::SettledGates(at::Device device) const {
  MVD_CHECK(!settled_.empty());
  GateDraw result;
  for (const std::string& block : blocks_)
    result.in.push_back(std::find(settled_.begin(), settled_.end(), block) != settled_.end());
  result.gates = Gates(result.in).to(device);
  return result;
}

at::Tensor Pruning::TemporalShare(const Parameters& weights) const {
  std::vector<at::Tensor> mixes;
  for (const std::string& block : blocks_)
    mixes.push_back(weights.at("unet." + block + "." + kMixFactor).reshape({1}));
  return at::sigmoid(-at::cat(mixes)).sum();
}

SvdUnetConfig Pruning::Pruned(const Parameters& weights) const {
  if (keep_ == int64_t(blocks_.size())) return unet_;
  CompressionSteps steps;
  steps.keep = settled_.empty() ? MostImportantBlocks(unet_, Importance(weights), keep_) : settled_;
  return ApplySteps(unet_, steps, "options");
}

}  // namespace mvd
