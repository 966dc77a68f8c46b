#include "mvd/train/loop/adversarial.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>

#include <cmath>

#include "mvd/base/error.h"
#include "mvd/base/parallel.h"
#include "mvd/sample/preconditioning.h"
#include "mvd/train/loop/losses.h"
#include "mvd/train/loop/tensors.h"

namespace mvd {
namespace {

// Standard normals for the discriminator's real and made clips; each sample has its own.
std::pair<at::Tensor, at::Tensor> DiscriminatorNoise(const AdversarialConfig& config,
                                                     const std::vector<TrainingItem>& items,
                                                     const at::Tensor& like) {
  std::vector<int64_t> shape = like.sizes().vec();
  shape.insert(shape.begin() + 1, 2);
  const at::Tensor both = at::empty(shape, at::kFloat);
  const int64_t each = both.numel() / shape[0];
  ParallelFor({at::get_num_threads()}, shape[0], [&](int64_t i, int) {
    DrawNoise(uint64_t(config.run.seed), items[size_t(i)].sample, NoiseKind::kDiscriminator,
              {both.data_ptr<float>() + i * each, size_t(each)});
  });
  const at::Tensor there = both.to(like.device());
  return {there.select(1, 0), there.select(1, 1)};
}

// Without noise levels yet.
Question Ask(AdversarialModel& m, const Parameters& weights, const EncodedClips& clips, GraphCache& graphs) {
  return {.clips = clips.latents,
          .noise = GeneratorNoise(m.base.networks.configs.unet.sampling, clips.noise),
          .condition = clips.condition.expand(clips.latents.sizes()),
          .embeds = EmbedClips(m.base, weights, clips, graphs),
          .ids = clips.ids,
          .sigma = {}};
}

// Pseudo-Huber distance of whole clips (SF-V, Eq. 7; c by Song & Dhariwal, arXiv 2310.14189): (B).
at::Tensor PseudoHuber(const AdversarialConfig& config, const at::Tensor& made, const at::Tensor& real) {
  const at::Tensor squares = (made - real).square().flatten(1).sum(1);
  const double c =
      config.huber_c >= 0 ? config.huber_c : 0.00054 * std::sqrt(double(real.numel() / real.size(0)));
  return (squares + c * c).sqrt() - c;
}

}  // namespace

AdversarialModel::AdversarialModel(const AdversarialConfig& c, at::Device device)
    : config(c),
      base(c, device),
      levels(GeneratorLevels(c.sigma_min, c.sigma_max, c.levels)),
      discriminator_levels(c.level_mean, c.level_std, c.sigma_min, c.sigma_max, c.level_count) {}

at::Tensor GeneratorNoise(const UnetSampling& sampling, const at::Tensor& noise) {
  return sampling.frame_noise == kSharedNoise ? noise.narrow(1, 0, 1).expand(noise.sizes()) : noise;
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
  TensorMap inputs = UnetInputs(q, Noised(q));
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
  const EncodedClips clips = EncodeClips(m.base, items, true);
  Question generated = Ask(m, weights, clips, graphs);
  for (const SampleDraws& draws : clips.draws)
    generated.sigma.push_back(m.levels[size_t(draws.generator_level * double(m.levels.size()))]);
  at::Tensor gates;
  if (m.pruning && m.pruning->learned()) {
    const at::Tensor& logits = weights.at(kPruningLogits);
    m.pruning->Settle(weights, call.step);
    const GateDraw draw = m.pruning->Draws(call.step)
                              ? m.pruning->Draw(logits, uint64_t(c.run.seed), items[0].sample)
                              : m.pruning->SettledGates(logits.device());
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
  for (const SampleDraws& draws : clips.draws)
    real.sigma.push_back(m.discriminator_levels.At(draws.discriminator_level));
  made.sigma = real.sigma, made.clips = x0;
  // Only the generator's loss trains the embedding.
  real.embeds = made.embeds = generated.embeds.detach();

  const bool penalise = c.r1 > 0 && call.step % c.r1_every == 0 && at::GradMode::is_enabled();
  const Judged judged = Judge(m.discriminator, weights, real, made, penalise, trains, graphs);
  TrainLoss loss{.value = judged.discriminator, .sigma = {}, .parts = {}};
  loss.parts["discriminator"] = judged.discriminator.item<double>();
  // Lazy regularisation (StyleGAN2, arXiv 1912.04958, section 4): what is applied in every k-th step counts
  // k times.
  if (penalise) loss.value = loss.value + c.r1 * double(c.r1_every) * judged.penalty;
  // Present in every step: processes add up their parts, which must have the same names.
  loss.parts["r1"] = penalise ? judged.penalty.item<double>() : 0;
  loss.parts["adversarial"] = trains ? judged.generator.item<double>() : 0;
  const at::Tensor distance = PseudoHuber(c, x0, generated.clips);
  loss.parts["pseudo_huber"] = distance.mean().item<double>();
  if (trains) loss.value = loss.value + c.adversarial * judged.generator + c.pseudo_huber * distance.mean();
  if (trains && m.pruning && !m.pruning->learned())
    loss.value = loss.value + c.l1 * m.pruning->TemporalShare(weights);
  const at::Tensor error =
      (x0.detach() - generated.clips).square().flatten(1).mean(1).to(at::kCPU, at::kDouble).contiguous();
  for (size_t i = 0; i < items.size(); ++i) loss.sigma.Add(generated.sigma[i], error.data_ptr<double>()[i]);
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
  const std::vector<EncodedClips>& held_out = HeldOutEncoded(m.base);
  const c10::NoGradGuard guard;
  const SvdUnetConfig unet = m.pruning ? m.pruning->Pruned(weights) : m.base.networks.configs.unet;
  GraphCache graphs(m.base.frozen.options());
  TrainLoss total{.value = at::zeros({}, at::kDouble), .sigma = {}, .parts = {}};
  for (const EncodedClips& clip : held_out) {
    Question q = Ask(m, weights, clip, graphs);
    q.sigma = {m.levels.front()};
    const at::Tensor x0 = OneStep(weights, unet, q, {}, graphs);
    total.value += (x0 - q.clips).square().mean().item<double>() / double(held_out.size());
  }
  return total;
}

}  // namespace mvd
