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

// What the generator should make of a question, which then holds noise alone where a teacher answers it.
at::Tensor Target(AdversarialModel& m, Question& question) {
  const at::Tensor real = question.clips;
  if (!m.teacher) return real;
  question.clips = at::zeros_like(real);
  return TeachersClip(*m.teacher, question, m.teaching);
}

// What the decoder takes from the picture counts less; undefined: all counts alike.
at::Tensor WeightsOf(const AdversarialModel& m, const at::Tensor& target) {
  const int64_t motion = m.base.networks.autoencoder.motion_channels();
  return motion > 0 ? MotionWeights(target, motion, m.config.seen_weight) : at::Tensor();
}

// Pseudo-Huber distance of whole clips (SF-V, Eq. 7; c by Song & Dhariwal, arXiv 2310.14189): (B).
at::Tensor PseudoHuber(const AdversarialConfig& config, const at::Tensor& made, const at::Tensor& real,
                       const at::Tensor& weight) {
  at::Tensor squares = (made - real).square();
  if (weight.defined()) squares = squares * weight;
  squares = squares.flatten(1).sum(1);
  const double c =
      config.huber_c >= 0 ? config.huber_c : 0.00054 * std::sqrt(double(real.numel() / real.size(0)));
  return (squares + c * c).sqrt() - c;
}

}  // namespace

AdversarialModel::AdversarialModel(const AdversarialConfig& c, at::Device device)
    : config(c),
      base(c, device),
      levels(GeneratorLevels(c.sigma_min, c.sigma_max, c.levels)),
      discriminator_levels(c.level_mean, c.level_std, c.sigma_min, c.sigma_max, c.level_count),
      teaching(base.frozen.options()) {}

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

namespace {

// The gates of this step, undefined where nothing is pruned by them.
at::Tensor DrawGates(AdversarialModel& m, const Parameters& weights, uint64_t sample, int64_t step) {
  if (!m.pruning || !m.pruning->learned()) return {};
  const at::Tensor& logits = weights.at(kPruningLogits);
  m.pruning->Settle(weights, step);
  const GateDraw draw = m.pruning->Draws(step) ? m.pruning->Draw(logits, uint64_t(m.config.run.seed), sample)
                                               : m.pruning->SettledGates(logits.device());
  for (size_t i = 0; i < draw.in.size(); ++i) m.gates_used[i] += draw.in[i];
  return draw.gates;
}

// Adds the discriminator's losses, of its heads and, if the generator `trains`, of what that made.
void AddJudgement(AdversarialModel& m, const Parameters& weights, const std::vector<TrainingItem>& items,
                  const std::vector<SampleDraws>& draws, std::pair<Question, Question> clips, int64_t step,
                  bool trains, GraphCache& graphs, TrainLoss& loss) {
  const AdversarialConfig& c = m.config;
  auto& [real, made] = clips;
  std::tie(real.noise, made.noise) = DiscriminatorNoise(c, items, real.clips);
  real.sigma.clear();
  for (const SampleDraws& draw : draws)
    real.sigma.push_back(m.discriminator_levels.At(draw.discriminator_level));
  made.sigma = real.sigma;
  // Only the generator's loss trains the embedding.
  real.embeds = made.embeds = real.embeds.detach();
  const bool penalise = c.r1 > 0 && step % c.r1_every == 0 && at::GradMode::is_enabled();
  const Judged judged = Judge(m.discriminator, weights, real, made, penalise, trains, graphs);
  loss.value = loss.value + judged.discriminator;
  loss.parts["discriminator"] = judged.discriminator.item<double>();
  if (penalise) {
    // Lazy regularisation (StyleGAN2, arXiv 1912.04958, section 4): what is applied in every k-th step counts
    // k times.
    loss.value = loss.value + c.r1 * double(c.r1_every) * judged.penalty;
    loss.parts["r1"] = judged.penalty.item<double>();
  }
  if (!trains) return;
  loss.value = loss.value + c.adversarial * judged.generator;
  loss.parts["adversarial"] = judged.generator.item<double>();
}

void TellImportance(const AdversarialModel& m, const Parameters& weights, TrainLoss& loss) {
  if (!m.pruning) return;
  const std::vector<double> importance = m.pruning->Importance(weights);
  for (size_t i = 0; i < importance.size(); ++i)
    loss.state["importance." + m.pruning->blocks()[i]] = importance[i];
}

}  // namespace

bool GeneratorTrains(const AdversarialConfig& config, int64_t step) {
  return config.adversarial == 0 || step >= config.discriminator_warmup_steps;
}

TrainLoss AdversarialLossOf(AdversarialModel& m, const Parameters& weights,
                            const std::vector<TrainingItem>& items, const LossCall& call) {
  const AdversarialConfig& c = m.config;
  const bool trains = GeneratorTrains(c, call.step);
  GraphCache& graphs = call.guard ? m.base.guarded : m.base.trained;
  const EncodedClips clips = EncodeClips(m.base, items, true);
  Question generated = Ask(m, weights, clips, graphs);
  for (const SampleDraws& draws : clips.draws)
    generated.sigma.push_back(m.levels[size_t(draws.generator_level * double(m.levels.size()))]);
  const Question real = generated;
  const at::Tensor target = Target(m, generated);
  const at::Tensor gates = DrawGates(m, weights, items[0].sample, call.step);
  at::Tensor x0;
  {
    const at::AutoGradMode mode(at::GradMode::is_enabled() && trains);
    x0 = OneStep(weights, m.base.networks.configs.unet, generated, gates, graphs);
  }
  // All parts are present in every step: processes add them up, and they must have the same names.
  TrainLoss loss{.value = at::zeros({}, x0.options()),
                 .sigma = {},
                 .parts = {{"discriminator", 0}, {"r1", 0}, {"adversarial", 0}}};
  if (c.adversarial > 0) {
    Question made = real;
    made.clips = x0;
    AddJudgement(m, weights, items, clips.draws, {real, made}, call.step, trains, graphs, loss);
  }
  const at::Tensor weight = WeightsOf(m, target);
  const at::Tensor distance = PseudoHuber(c, x0, target, weight).mean();
  loss.parts["pseudo_huber"] = distance.item<double>();
  if (trains) loss.value = loss.value + c.pseudo_huber * distance;
  if (trains && m.pruning && !m.pruning->learned())
    loss.value = loss.value + c.l1 * m.pruning->TemporalShare(weights);
  const at::Tensor error = DiffusionLoss(x0.detach(), target, weight).to(at::kCPU, at::kDouble).contiguous();
  for (size_t i = 0; i < items.size(); ++i) loss.sigma.Add(generated.sigma[i], error.data_ptr<double>()[i]);
  if (trains && c.adversarial > 0)
    loss.warning = m.watch.Judge(loss.parts["discriminator"], loss.parts["pseudo_huber"]);
  loss.state["collapse"] = loss.warning.empty() ? 0 : 1;
  TellImportance(m, weights, loss);
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
    const at::Tensor target = Target(m, q);
    const at::Tensor x0 = OneStep(weights, unet, q, {}, graphs);
    total.value +=
        DiffusionLoss(x0, target, WeightsOf(m, target)).mean().item<double>() / double(held_out.size());
  }
  return total;
}

}  // namespace mvd
