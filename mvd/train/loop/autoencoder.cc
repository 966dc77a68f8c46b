#include "mvd/train/loop/autoencoder.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "mvd/base/error.h"
#include "mvd/engine/random_weights.h"
#include "mvd/train/discriminator.h"
#include "mvd/train/loop/data.h"
#include "mvd/train/loop/draws.h"
#include "mvd/train/loop/export.h"
#include "mvd/train/loop/frame_batch.h"
#include "mvd/train/loop/losses.h"
#include "mvd/train/loop/options.h"
#include "mvd/train/loop/reducer.h"
#include "mvd/train/loop/samples.h"
#include "mvd/train/loop/tensors.h"
#include "mvd/train/loop/warp.h"
#include "mvd/train/run_models.h"

namespace mvd {
namespace {

constexpr char kMotionLayers[] = "decoder.motion.";

struct AutoencoderModel {
  AutoencoderModel(const AutoencoderConfig& c, at::Device d)
      : config(c), device(d), graphs(Options(false)), guarded(Options(true)) {}
  TorchGraphOptions Options(bool guard) const {
    TorchGraphOptions o;
    if (config.run.precision == "bf16") o.compute = at::kBFloat16;
    o.recompute_segments = guard ? 0 : int(config.run.recompute_segments);
    o.nan_guard = guard;
    return o;
  }

  AutoencoderConfig config;
  at::Device device;
  TaesdConfig taesd;
  Parameters all;            // both halves; the half that is not trained has no gradients
  Parameters discriminator;  // empty where there is none
  GraphCache graphs, guarded;
  std::vector<TrainingClip> held_out;
};

struct Reconstruction {
  at::Tensor latent, image;
};

// A half that is trained comes from `weights`, the other from the model.
Parameters BothHalves(const AutoencoderModel& m, const Parameters& weights) {
  Parameters all = weights;
  all.insert(m.all.begin(), m.all.end());
  return all;
}

at::Tensor Encode(AutoencoderModel& m, const Parameters& all, const at::Tensor& images, GraphCache& graphs) {
  const int64_t n = images.size(0), h = images.size(2), w = images.size(3);
  const TorchGraph& encoder =
      graphs.Get({"encoder", n, 1, h, w}, [&] { return BuildTaesdEncoder(m.taesd, n, h, w); });
  return encoder.Run(all, {{"image", images}}).at("latent");
}

// `to_decode` maps the encoder's latents to those that are decoded. `motion` is empty for an autoencoder of
// pictures.
template <class ToDecode>
Reconstruction Reconstruct(AutoencoderModel& m, const Parameters& weights, const at::Tensor& images,
                           const ToDecode& to_decode, GraphCache& graphs, const ClipMotion& motion = {}) {
  const Parameters all = BothHalves(m, weights);
  const int64_t h = images.size(2), w = images.size(3);
  Reconstruction r;
  r.latent = Encode(m, all, images, graphs);
  TensorMap inputs{{"latent", r.latent}};
  if (motion.latents.defined()) {
    inputs["latent"] = WithMotion(r.latent, motion);
    inputs["picture"] = motion.picture, inputs["travel"] = motion.travel;
    if (m.taesd.motion_features > 0) inputs["seen"] = motion.picture;
  }
  at::Tensor& latent = inputs["latent"];
  latent = to_decode(latent);
  const int64_t n = latent.size(0), t = latent.size(1), lh = latent.size(2), lw = latent.size(3);
  const TorchGraph& decoder = graphs.Get({"decoder", n, t, lh, lw}, [&] {
    return BuildTaesdDecoder(m.taesd, n, t, lh, lw, {h, w});
  });
  r.image = decoder.Run(all, inputs).at("image").flatten(0, 1).unsqueeze(1);
  // Sides that are no multiple of the factor decode to the next one.
  r.image = r.image.narrow(2, 0, h).narrow(3, 0, w);
  return r;
}

struct Judgement {
  at::Tensor real, made;          // logits whose gradients reach the discriminator alone
  at::Tensor made_for_generator;  // the same as `made`; its gradients reach the picture alone
};

// One optimiser trains both: each has its own loss, and neither sees the gradients of the other's.
Judgement Judge(const Parameters& weights, const at::Tensor& images, const at::Tensor& made,
                GraphCache& graphs) {
  const int64_t n = images.size(0), h = images.size(2), w = images.size(3);
  const TorchGraph& graph =
      graphs.Get({"discriminator", n, 1, h, w}, [&] { return BuildPatchDiscriminator(n, h, w); });
  Parameters fixed;
  for (const auto& [name, tensor] : weights)
    if (name.starts_with(kDiscriminator)) fixed[name] = tensor.detach();
  const auto logits = [&](const Parameters& p, const at::Tensor& x) {
    return graph.Run(p, {{"image", x}}).at("logits");
  };
  return {logits(weights, images), logits(weights, made.detach()), logits(fixed, made)};
}

// The squared distance between the latents of a crop and the crop of the latents, relative to each channel's
// variance, so that shrinking the latents does not help. Decoding cropped latents instead, and comparing with
// the cropped picture, would teach the encoder to hide a pattern in them from which the decoder reads the
// crop.
at::Tensor Equivariance(AutoencoderModel& m, const Parameters& weights,
                        const std::vector<TrainingItem>& items, const at::Tensor& images,
                        const at::Tensor& latent, GraphCache& graphs) {
  std::vector<Window> windows;
  for (const TrainingItem& item : items) {
    windows.insert(windows.end(), size_t(images.size(0)) / items.size(),
                   DrawWindow(uint64_t(m.config.run.seed), item.sample));
  }
  const at::Tensor part = Encode(m, BothHalves(m, weights), LookThrough(windows, images), graphs);
  const at::Tensor distance = (part - LookThrough(windows, latent)).square().mean({0, 1, 2, 3});
  constexpr double kLeast = 1e-6;  // a dead channel costs nothing and must not divide by zero
  return (distance / latent.var({0, 1, 2, 3}, false).clamp_min(kLeast)).mean();
}

// Noise of latents' shape, each item's part a function of its sample.
at::Tensor LatentNoise(const AutoencoderModel& m, const std::vector<TrainingItem>& items,
                       const at::Tensor& latent) {
  const int64_t part = latent.numel() / int64_t(items.size());
  const at::Tensor noise = at::empty({int64_t(items.size()), part}, at::kFloat);
  for (size_t i = 0; i < items.size(); ++i)
    DrawNoise(uint64_t(m.config.run.seed), items[i].sample, NoiseKind::kLatents,
              {noise.data_ptr<float>() + int64_t(i) * part, size_t(part)});
  return noise.view(latent.sizes()).to(m.device) * m.config.latent_noise;
}

TrainLoss LossOf(AutoencoderModel& m, const Parameters& weights, const std::vector<TrainingItem>& items,
                 bool guard) {
  const FrameBatch batch = MakeFrameBatch(m.taesd, items, uint64_t(m.config.run.seed), m.device);
  const at::Tensor& images = batch.images;
  const AutoencoderConfig& c = m.config;
  const auto to_decode = [&](const at::Tensor& latent) {
    return c.latent_noise > 0 ? latent + LatentNoise(m, items, latent) : latent;
  };
  GraphCache& graphs = guard ? m.guarded : m.graphs;
  const Reconstruction r = Reconstruct(m, weights, images, to_decode, graphs, batch.motion);
  TrainLoss loss{.value = at::zeros({}, images.options()), .sigma = {}, .parts = {}};
  const auto add = [&](const char* name, double weight, const at::Tensor& value) {
    loss.parts[name] = value.item<double>();
    if (weight > 0) loss.value = loss.value + weight * value;
  };
  add("l1", c.l1, PixelLoss(r.image, images).mean());
  add("mse", c.mse, (r.image - images).square().mean());
  if (c.edges > 0) add("edges", c.edges, PyramidLoss(r.image, images).mean());
  const at::Tensor mean = r.latent.mean({0, 1, 2, 3}), deviation = r.latent.std({0, 1, 2, 3}, false);
  add("latent_norm", c.latent_norm, (mean.square() + (deviation - 1).square()).mean());
  if (c.equivariance > 0)
    add("equivariance", c.equivariance, Equivariance(m, weights, items, images, r.latent, graphs));
  // Held-out losses measure the distance of pictures only, so that they do not depend on the discriminator.
  const bool judged =
      items.front().sample >= uint64_t(c.adversarial_start) && items.front().sample < kHeldOutSamples;
  // Present from the first step on: processes add up their parts, and one may start judging a step earlier.
  if (c.adversarial > 0) loss.parts["adversarial"] = loss.parts["discriminator"] = 0;
  if (c.adversarial > 0 && judged) {
    const Judgement j = Judge(weights, images, r.image, graphs);
    add("adversarial", c.adversarial, GeneratorLoss(j.made_for_generator));
    add("discriminator", 1, DiscriminatorLoss(j.real, j.made));
  }
  return loss;
}

TrainLoss HeldOutLoss(AutoencoderModel& m, const Parameters& weights) {
  const CommonConfig& c = m.config;
  if (m.held_out.empty()) m.held_out = HeldOutClips(c.data, uint64_t(c.run.seed), c.output.heldout_clips);
  const c10::NoGradGuard guard;
  TrainLoss total{.value = at::zeros({}, at::kDouble), .sigma = {}, .parts = {}};
  uint64_t sample = kHeldOutSamples;
  for (const TrainingClip& clip : m.held_out)
    total.value +=
        LossOf(m, weights, {{clip, sample++}}, false).value.item<double>() / double(m.held_out.size());
  return total;
}

// Real frames above decoded ones.
SampleReport Sheet(AutoencoderModel& m, const Parameters& weights, int64_t step,
                   const std::filesystem::path& folder) {
  const c10::NoGradGuard guard;
  const CommonConfig& c = m.config;
  std::vector<Tensor> rows;
  uint64_t sample = kHeldOutSamples;
  for (TrainingClip& clip : HeldOutClips(c.data, uint64_t(c.run.seed), c.output.samples_count)) {
    const FrameBatch batch =
        MakeFrameBatch(m.taesd, {{std::move(clip), sample++}}, uint64_t(c.run.seed), m.device);
    const auto as_it_is = [](const at::Tensor& latent) { return latent; };
    const Reconstruction r = Reconstruct(m, weights, batch.images, as_it_is, m.graphs, batch.motion);
    for (const at::Tensor& x : {batch.images, r.image}) rows.push_back(FromTorch((x.squeeze(1) + 1) / 2));
  }
  SampleReport report;
  char name[32];
  std::snprintf(name, sizeof(name), "step-%06lld.png", static_cast<long long>(step));
  report.sheet = folder / name;
  WriteContactSheet(report.sheet, rows);
  return report;
}

// The decoder's weights from a folder, and where that has none yet, of layers for motion that the run adds,
// random ones; the last of these is zero, so that training starts with the motion as it is.
Parameters LoadDecoder(const AutoencoderModel& m, WeightSource& folder) {
  const Graph graph = BuildTaesdDecoder(m.taesd, 1, 1, 8, 8);
  RandomWeights random(graph, uint64_t(m.config.run.seed), DType::kF32, {HardwareThreads()});
  MapWeights weights;
  for (ValueId id : graph.All(Op::kWeight)) {
    const std::string& name = graph.node(id).name;
    const bool added = name.starts_with(kMotionLayers) && !folder.Find(name);
    Tensor values = ConvertTo(added ? random.Get(name) : folder.Get(name), DType::kF32);
    if (added && name.find("conv_out") != name.npos) std::ranges::fill(values.f32(), 0.0f);
    weights.Set(name, std::move(values));
  }
  return LoadParameters(graph, weights, m.device);
}

void LoadAutoencoder(AutoencoderModel& m) {
  const CommonConfig& c = m.config;
  ModelSection section = c.model;
  if (!section.autoencoder.empty()) section.folder = section.autoencoder;
  const Model model = OpenModel(section, {HardwareThreads()});
  if (!model.Has("taesd_encoder"))
    ThrowBadInput(model.origin(), "has no TAESD-shaped autoencoder, expected class AutoencoderTiny");
  m.taesd = OverlaidConfig(model.configs().taesd, section.folder.empty() ? "" : section.taesd, "model.taesd");
  const auto weights = model.Weights("taesd_encoder"), decoder = model.Weights("taesd_decoder");
  m.all = LoadParameters(BuildTaesdEncoder(m.taesd, 1, 64, 64), *weights, m.device);
  m.all.merge(LoadDecoder(m, *decoder));
  if (m.config.adversarial > 0) {
    const Graph judge = BuildPatchDiscriminator(1, 64, 64);
    RandomWeights random(judge, uint64_t(m.config.run.seed), DType::kF32, {HardwareThreads()});
    m.discriminator = LoadParameters(judge, random, m.device);
  }
}

}  // namespace

TrainTask MakeAutoencoderTask(const AutoencoderConfig& config, at::Device device) {
  const auto model = std::make_shared<AutoencoderModel>(config, device);
  LoadAutoencoder(*model);
  TrainTask task;
  task.kind = "autoencoder";
  task.common = config;
  task.seed = uint64_t(config.run.seed);
  task.device = device;
  for (auto& [name, tensor] : model->all) {
    const bool encoder = name.starts_with("encoder.");
    if (config.part == "both" || encoder == (config.part == "encoder"))
      task.trained[name] = tensor;
    else
      tensor = tensor.detach();
  }
  task.trained.insert(model->discriminator.begin(), model->discriminator.end());
  BackwardOrderOf order(task.trained);
  order.Add(BuildPatchDiscriminator(1, 64, 64), "");
  order.Add(BuildTaesdDecoder(model->taesd, 1, 1, 8, 8), "");
  order.Add(BuildTaesdEncoder(model->taesd, 1, 64, 64), "");
  task.backward_order = order.names();
  task.loss = [model](const Parameters& weights, const std::vector<TrainingItem>& items,
                      const LossCall& call) { return LossOf(*model, weights, items, call.guard); };
  task.held_out = [model](const Parameters& weights) { return HeldOutLoss(*model, weights); };
  task.samples = [model](const Parameters& weights, int64_t step, const std::filesystem::path& folder) {
    return Sheet(*model, weights, step, folder);
  };
  task.export_model = [model](const Parameters& weights, const std::filesystem::path& folder,
                              const Metadata& metadata) {
    Parameters all = weights;
    for (const auto& [name, tensor] : model->discriminator) all.erase(name);
    all.insert(model->all.begin(), model->all.end());
    ExportNetwork(WriteConfig(model->taesd), all, folder, metadata);
  };
  SetOptions(config, task);
  return task;
}

}  // namespace mvd
