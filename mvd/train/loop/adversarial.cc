#include "mvd/train/loop/adversarial.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>

#include "mvd/base/error.h"
#include "mvd/sample/preconditioning.h"
#include "mvd/train/loop/data.h"
#include "mvd/train/loop/losses.h"
#include "mvd/train/loop/tensors.h"

namespace mvd {
namespace {

// c_in, c_noise, ... of each clip's level as a column that multiplies (B,T,h,w,C).
template <class Coefficient>
at::Tensor Column(const std::vector<double>& sigma, const at::Tensor& like, const Coefficient& coefficient) {
  std::vector<double> values;
  for (double s : sigma) values.push_back(coefficient(s));
  return at::tensor(values, like.options()).view({int64_t(sigma.size()), 1, 1, 1, 1});
}

at::Tensor CNoise(const std::vector<double>& sigma, const at::Tensor& like) {
  return Column(sigma, like, [](double s) { return VPrediction(s).c_noise; });
}

at::Tensor Noised(const at::Tensor& clips, const at::Tensor& noise, const std::vector<double>& sigma) {
  return (clips + noise * Column(sigma, clips, [](double s) { return s; })) *
         Column(sigma, clips, [](double s) { return VPrediction(s).c_in; });
}

TensorMap UnetInputs(const at::Tensor& noised, const Question& q) {
  return {{"sample", at::cat({noised, q.condition}, 4)},
          {"timestep", CNoise(q.sigma, noised)},
          {"encoder_hidden_states", q.embeds},
          {"added_time_ids", q.ids}};
}

// Standard normals for the discriminator's two kinds of clips, of each sample its own.
std::pair<at::Tensor, at::Tensor> DiscriminatorNoise(const AdversarialConfig& config,
                                                     const std::vector<TrainingItem>& items,
                                                     const at::Tensor& like) {
  std::vector<at::Tensor> real, made;
  for (const TrainingItem& item : items) {
    std::vector<int64_t> shape = like.sizes().vec();
    shape[0] = 2;
    const at::Tensor both = at::empty(shape, at::kFloat);
    DrawNoise(uint64_t(config.run.seed), item.sample, NoiseKind::kDiscriminator,
              {both.data_ptr<float>(), size_t(both.numel())});
    real.push_back(both.narrow(0, 0, 1)), made.push_back(both.narrow(0, 1, 1));
  }
  return {at::cat(real).to(like.device()), at::cat(made).to(like.device())};
}

Question Ask(AdversarialModel& m, const Parameters& weights, const std::vector<EncodedClip>& clips,
             GraphCache& graphs) {
  std::vector<at::Tensor> latents, noise, condition, pixels, ids;
  std::vector<double> keep_image;
  for (const EncodedClip& c : clips) {
    latents.push_back(c.latents), noise.push_back(c.noise), condition.push_back(c.condition);
    ids.push_back(c.ids), keep_image.push_back(c.draws.drop_image ? 0 : 1);
    if (c.pixel_values.defined()) pixels.push_back(c.pixel_values);
  }
  const int64_t batch = int64_t(clips.size());
  Question q;
  q.clips = at::cat(latents), q.noise = at::cat(noise), q.ids = at::cat(ids);
  q.condition = at::cat(condition).expand(q.clips.sizes());
  q.embeds = EmbedImages(m.base, weights, pixels.empty() ? at::Tensor() : at::cat(pixels), batch, graphs);
  q.embeds = q.embeds * at::tensor(keep_image, q.embeds.options()).view({batch, 1, 1, 1, 1});
  return q;
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
  return squares / double(by[0].size(0));
}

TensorMap Detached(const TensorMap& tensors, bool requires_grad) {
  TensorMap detached;
  for (const auto& [name, tensor] : tensors) detached[name] = tensor.detach().requires_grad_(requires_grad);
  return detached;
}

Parameters HeadsOf(const Parameters& weights, bool fixed) {
  Parameters heads;
  for (const auto& [name, tensor] : weights)
    if (name.starts_with(kDiscriminator)) heads[name] = fixed ? tensor.detach() : tensor;
  return heads;
}

// Pseudo-Huber distance of whole clips (SF-V, Eq. 7; c by Song & Dhariwal, arXiv 2310.14189): (B).
at::Tensor PseudoHuber(const AdversarialConfig& config, const at::Tensor& made, const at::Tensor& real) {
  const at::Tensor squares = (made - real).square().flatten(1).sum(1);
  const double c =
      config.huber_c >= 0 ? config.huber_c : 0.00054 * std::sqrt(double(real.numel() / real.size(0)));
  return (squares + c * c).sqrt() - c;
}

struct Judged {
  at::Tensor discriminator, penalty, generator;  // generator undefined where it is not trained
};

Judged Judge(AdversarialModel& m, const Parameters& weights, const Question& real, const Question& made,
             bool penalise, bool generator, GraphCache& graphs) {
  const bool by_input = penalise && m.config.r1_on == "input";
  at::Tensor real_clips = Noised(real.clips, real.noise, real.sigma);
  TensorMap of_real;
  if (by_input) {
    real_clips = real_clips.detach().requires_grad_(true);
    of_real = Features(m, real_clips, real, graphs);
  } else {
    const c10::NoGradGuard guard;
    of_real = Features(m, real_clips, real, graphs);
  }
  if (penalise && !by_input) of_real = Detached(of_real, true);
  const TensorMap of_made = Features(m, Noised(made.clips, made.noise, made.sigma), made, graphs);
  const Parameters heads = HeadsOf(weights, false);
  const std::vector<at::Tensor> on_real = Logits(m, heads, of_real, real, graphs);
  const std::vector<at::Tensor> on_made = Logits(m, heads, Detached(of_made, false), made, graphs);
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
    const std::vector<at::Tensor> said = Logits(m, HeadsOf(weights, true), of_made, made, graphs);
    judged.generator = MeanOverHeads(said.size(), [&](size_t i) { return GeneratorLoss(said[i]); });
  }
  return judged;
}

}  // namespace

AdversarialModel::AdversarialModel(const AdversarialConfig& c, at::Device device)
    : config(c),
      base(c, device),
      levels(GeneratorLevels(c.sigma_min, c.sigma_max, c.levels)),
      discriminator_levels(c.level_mean, c.level_std, c.sigma_min, c.sigma_max, c.level_count) {}

TensorMap Features(AdversarialModel& m, const at::Tensor& noised, const Question& q, GraphCache& graphs) {
  const int64_t b = noised.size(0), t = noised.size(1), h = noised.size(2), w = noised.size(3);
  const TorchGraph& graph = graphs.Get({"backbone", b, t, h, w}, [&] {
    return BuildSvdUnet(m.backbone_config, b, t, h, w, {.encoder_taps = true});
  });
  return graph.Run(m.backbone, UnetInputs(noised, q));
}

std::vector<at::Tensor> Logits(AdversarialModel& m, const Parameters& heads, const TensorMap& features,
                               const Question& q, GraphCache& graphs) {
  const int64_t b = q.clips.size(0), t = q.clips.size(1), h = q.clips.size(2), w = q.clips.size(3);
  const TorchGraph& graph = graphs.Get({"heads", b, t, h, w}, [&] {
    std::vector<Shape> taps;
    for (size_t i = 0; i < features.size(); ++i)
      taps.emplace_back(Shape(features.at("down_blocks." + std::to_string(i)).sizes().vec()));
    return BuildClipHeads(taps, q.embeds.size(4),
                          {m.config.width, m.config.heads != "temporal", m.config.heads != "spatial"});
  });
  TensorMap inputs = features;
  inputs["timestep"] = CNoise(q.sigma, q.clips);
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

at::Tensor OneStep(const Parameters& weights, const SvdUnetConfig& unet, const Question& q,
                   const at::Tensor& gates, GraphCache& graphs) {
  const int64_t b = q.clips.size(0), t = q.clips.size(1), h = q.clips.size(2), w = q.clips.size(3);
  std::string name = gates.defined() ? "gated unet" : "unet";
  for (const std::string& block : unet.compression.kept_temporal_blocks.value_or(std::vector<std::string>()))
    name += " " + block;
  const TorchGraph& graph = graphs.Get({name, b, t, h, w}, [&] {
    return BuildSvdUnet(unet, b, t, h, w, {.temporal_gates = gates.defined()});
  });
  TensorMap inputs = UnetInputs(Noised(q.clips, q.noise, q.sigma), q);
  if (gates.defined()) inputs["temporal_gates"] = gates;
  const at::Tensor output = graph.Run(Without("unet.", weights), inputs).at("sample");
  const at::Tensor x = q.clips + q.noise * Column(q.sigma, q.clips, [](double s) { return s; });
  return x * Column(q.sigma, x, [](double s) { return VPrediction(s).c_skip; }) +
         output * Column(q.sigma, x, [](double s) { return VPrediction(s).c_out; });
}

TrainLoss AdversarialLossOf(AdversarialModel& m, const Parameters& weights,
                            const std::vector<TrainingItem>& items, const LossCall& call) {
  const AdversarialConfig& c = m.config;
  const bool trains = call.step >= c.discriminator_warmup_steps;
  GraphCache& graphs = call.guard ? m.base.guarded : m.base.trained;
  std::vector<EncodedClip> clips;
  for (const TrainingItem& item : items) clips.push_back(EncodeClip(m.base, item, true));
  Question generated = Ask(m, weights, clips, graphs);
  for (const EncodedClip& clip : clips)
    generated.sigma.push_back(m.levels[size_t(clip.draws.generator_level * double(m.levels.size()))]);
  at::Tensor gates;
  if (m.pruning && m.pruning->learned()) {
    const GateDraw draw = m.pruning->Draw(weights.at(kPruningLogits), uint64_t(c.run.seed), items[0].sample);
    gates = draw.gates;
    for (size_t i = 0; i < draw.in.size(); ++i) m.gates_used[i] += draw.in[i];
  }
  const SvdUnetConfig& unet = m.base.networks.configs.unet;
  at::Tensor x0;
  {
    const at::AutoGradMode mode(at::GradMode::is_enabled() && trains);
    x0 = OneStep(weights, unet, generated, gates, graphs);
  }
  Question real = generated, made = generated;
  std::tie(real.noise, made.noise) = DiscriminatorNoise(c, items, generated.clips);
  real.sigma.clear();
  for (const EncodedClip& clip : clips)
    real.sigma.push_back(m.discriminator_levels.At(clip.draws.discriminator_level));
  made.sigma = real.sigma, made.clips = x0;
  // What the embedding is trained for is the generator's loss alone.
  real.embeds = made.embeds = generated.embeds.detach();

  const bool penalise = c.r1 > 0 && call.step % c.r1_every == 0 && at::GradMode::is_enabled();
  const Judged judged = Judge(m, weights, real, made, penalise, trains, graphs);
  TrainLoss loss{.value = judged.discriminator, .sigma = {}, .parts = {}};
  loss.parts["discriminator"] = judged.discriminator.item<double>();
  if (penalise) loss.value = loss.value + c.r1 * judged.penalty;
  // Named in every step: processes add up their parts.
  loss.parts["r1"] = penalise ? judged.penalty.item<double>() : 0;
  loss.parts["adversarial"] = trains ? judged.generator.item<double>() : 0;
  const at::Tensor distance = PseudoHuber(c, x0, generated.clips);
  loss.parts["pseudo_huber"] = distance.mean().item<double>();
  if (trains) loss.value = loss.value + c.adversarial * judged.generator + c.pseudo_huber * distance.mean();
  if (trains && m.pruning && !m.pruning->learned())
    loss.value = loss.value + c.l1 * m.pruning->TemporalShare(weights);
  const at::Tensor error =
      (x0.detach() - generated.clips).square().flatten(1).mean(1).to(at::kCPU, at::kDouble).contiguous();
  for (size_t i = 0; i < clips.size(); ++i) loss.sigma.Add(generated.sigma[i], error.data_ptr<double>()[i]);
  if (trains) loss.warning = m.watch.Judge(loss.parts["discriminator"], loss.parts["pseudo_huber"]);
  loss.state["collapse"] = loss.warning.empty() ? 0 : 1;
  if (m.pruning) {
    const std::vector<double> importance = m.pruning->Importance(weights);
    for (size_t i = 0; i < importance.size(); ++i)
      loss.state["importance." + m.pruning->blocks()[i]] = importance[i];
  }
  return loss;
}

TrainLoss AdversarialHeldOut(AdversarialModel& m, const Parameters& weights) {
  const CommonConfig& c = m.config;
  if (m.base.held_out.empty()) {
    uint64_t sample = kHeldOutSamples;
    for (TrainingClip& clip : HeldOutClips(c.data, uint64_t(c.run.seed), c.output.heldout_clips))
      m.base.held_out.push_back(EncodeClip(m.base, {std::move(clip), sample++}, /*drop_conditions=*/false));
  }
  const c10::NoGradGuard guard;
  const SvdUnetConfig unet = m.pruning ? m.pruning->Pruned(weights) : m.base.networks.configs.unet;
  GraphCache graphs(m.base.frozen.options());
  TrainLoss total{.value = at::zeros({}, at::kDouble), .sigma = {}, .parts = {}};
  for (const EncodedClip& clip : m.base.held_out) {
    Question q = Ask(m, weights, {clip}, graphs);
    q.sigma = {m.levels.front()};
    const at::Tensor x0 = OneStep(weights, unet, q, {}, graphs);
    total.value += (x0 - q.clips).square().mean().item<double>() / double(m.base.held_out.size());
  }
  return total;
}

}  // namespace mvd
