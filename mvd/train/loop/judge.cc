#include "mvd/train/loop/judge.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>

#include "mvd/base/check.h"
#include "mvd/sample/preconditioning.h"
#include "mvd/train/loop/losses.h"

namespace mvd {
namespace {

at::Tensor CNoise(const Question& q) {
  return Column(q.sigma, q.clips, [](double s) { return VPrediction(s).c_noise; });
}

// Hinge losses (losses.h), of each head over its places, then the mean over the heads.
template <class Loss>
at::Tensor MeanOverHeads(size_t heads, const Loss& loss) {
  at::Tensor sum = loss(0);
  for (size_t i = 1; i < heads; ++i) sum = sum + loss(i);
  return sum / double(heads);
}

// R1 (Mescheder et al., arXiv 1801.04406): the squared norm of the gradient of what the heads say of a real
// clip, mean over the clips. `by`: features or the noised clips.
at::Tensor GradientPenalty(const std::vector<at::Tensor>& logits, const std::vector<at::Tensor>& by) {
  at::Tensor sum = logits[0].sum();
  for (size_t i = 1; i < logits.size(); ++i) sum = sum + logits[i].sum();
  const std::vector<at::Tensor> gradients =
      torch::autograd::grad({sum}, by, {}, /*retain_graph=*/true, /*create_graph=*/true);
  at::Tensor squares = gradients[0].square().sum();
  for (size_t i = 1; i < gradients.size(); ++i) squares = squares + gradients[i].square().sum();
  MVD_CHECK(squares.requires_grad(), "R1 is a constant: its gradient was taken without a graph");
  return squares / double(by[0].size(0));
}

TensorMap Detached(const TensorMap& tensors, bool requires_grad) {
  TensorMap detached;
  for (const auto& [name, tensor] : tensors) detached[name] = tensor.detach().requires_grad_(requires_grad);
  return detached;
}

Parameters WeightsOfHeads(const Parameters& weights, bool fixed) {
  Parameters heads;
  for (const auto& [name, tensor] : weights)
    if (name.starts_with(kDiscriminator)) heads[name] = fixed ? tensor.detach() : tensor;
  return heads;
}

}  // namespace

at::Tensor Noised(const Question& q) {
  return (q.clips + q.noise * Column(q.sigma, q.clips, [](double s) { return s; })) *
         Column(q.sigma, q.clips, [](double s) { return VPrediction(s).c_in; });
}

TensorMap UnetInputs(const Question& q, const at::Tensor& noised) {
  return {{"sample", at::cat({noised, q.condition}, 4)},
          {"timestep", CNoise(q)},
          {"encoder_hidden_states", q.embeds},
          {"added_time_ids", q.ids}};
}

TensorMap Features(const Discriminator& d, const Question& q, const at::Tensor& noised, GraphCache& graphs,
                   Recompute recompute) {
  const int64_t b = noised.size(0), t = noised.size(1), h = noised.size(2), w = noised.size(3);
  const char* const name = recompute == Recompute::kNever ? "backbone, all kept" : "backbone";
  const TorchGraph& graph = graphs.Get(
      {name, b, t, h, w}, [&] { return BuildSvdUnet(d.unet, b, t, h, w, {.encoder_taps = d.taps}); },
      recompute);
  return graph.Run(d.backbone, UnetInputs(q, noised));
}

std::vector<at::Tensor> Logits(const Discriminator& d, const Parameters& heads, const TensorMap& features,
                               const Question& q, GraphCache& graphs) {
  const int64_t b = q.clips.size(0), t = q.clips.size(1), h = q.clips.size(2), w = q.clips.size(3);
  const auto build = [&] {
    std::vector<Shape> taps;
    for (size_t i = 0; i < features.size(); ++i)
      taps.emplace_back(Shape(features.at("down_blocks." + std::to_string(i)).sizes().vec()));
    return BuildClipHeads(taps, q.embeds.size(4), d.heads);
  };
  const TorchGraph& graph = graphs.Get({"heads", b, t, h, w}, build, Recompute::kNever);
  TensorMap inputs = features;
  inputs["timestep"] = CNoise(q);
  inputs["condition"] = q.embeds.detach();
  const TensorMap out = graph.Run(heads, inputs);
  std::vector<at::Tensor> logits;
  for (const auto& [name, maps] : out) {
    if (!name.ends_with(".maps")) continue;
    const at::Tensor& condition = out.at(name.substr(0, name.rfind('.')) + ".condition");
    logits.push_back((maps * condition).sum(4) / std::sqrt(double(kHeadMaps)));
  }
  return logits;
}

Judged Judge(const Discriminator& d, const Parameters& weights, const Question& real, const Question& made,
             bool penalise, bool generator, GraphCache& graphs) {
  const bool by_input = penalise && d.penalty_by_input;
  at::Tensor real_clips = Noised(real);
  TensorMap of_real;
  if (by_input) {
    real_clips = real_clips.detach().requires_grad_(true);
    of_real = Features(d, real, real_clips, graphs, Recompute::kNever);
  } else {
    const c10::NoGradGuard guard;
    of_real = Features(d, real, real_clips, graphs);
  }
  if (penalise && !by_input) of_real = Detached(of_real, true);
  const TensorMap of_made = Features(d, made, Noised(made), graphs);
  const Parameters heads = WeightsOfHeads(weights, false);
  const std::vector<at::Tensor> on_real = Logits(d, heads, of_real, real, graphs);
  const std::vector<at::Tensor> on_made = Logits(d, heads, Detached(of_made, false), made, graphs);
  Judged judged;
  judged.discriminator =
      MeanOverHeads(on_real.size(), [&](size_t i) { return DiscriminatorLoss(on_real[i], on_made[i]); });
  if (penalise) {
    std::vector<at::Tensor> by;
    if (by_input) by.push_back(real_clips);
    for (const auto& [name, tensor] : of_real)
      if (!by_input) by.push_back(tensor);
    judged.penalty = GradientPenalty(on_real, by);
  }
  if (generator) {
    const std::vector<at::Tensor> said = Logits(d, WeightsOfHeads(weights, true), of_made, made, graphs);
    judged.generator = MeanOverHeads(said.size(), [&](size_t i) { return GeneratorLoss(said[i]); });
  }
  return judged;
}

}  // namespace mvd
