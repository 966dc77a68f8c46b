#include "mvd/train/loop/diffusion.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <cmath>

#include "mvd/base/error.h"
#include "mvd/base/paths.h"
#include "mvd/io/model_folder.h"
#include "mvd/train/loop/losses.h"
#include "mvd/train/loop/tensors.h"

namespace mvd {
namespace {

constexpr char kUnet[] = "unet.";
constexpr char kImageEncoder[] = "image_encoder.";

TorchGraphOptions GraphOptions(const DiffusionConfig& config, bool trained, bool guard) {
  TorchGraphOptions options;
  if (config.run.precision == "bf16") options.compute = at::kBFloat16;
  if (trained) options.recompute_segments = int(config.run.recompute_segments);
  options.nan_guard = guard;
  return options;
}

// (B,1,1,1,1): zero for clips whose image is dropped.
at::Tensor KeptImages(const EncodedClips& clips) {
  std::vector<double> keep;
  for (const SampleDraws& draws : clips.draws) keep.push_back(draws.drop_image ? 0 : 1);
  return at::tensor(keep, clips.latents.options()).view({-1, 1, 1, 1, 1});
}

// What tells one autoencoder's latents from another's.
std::string AutoencoderHash(const ModelSection& section) {
  const std::string& folder = section.autoencoder.empty() ? section.folder : section.autoencoder;
  if (!folder.empty()) {
    // Of a pipeline its autoencoder alone: the next stage's UNet, too, finds what this one's encoded.
    const std::filesystem::path vae = std::filesystem::path(folder) / "vae";
    return ModelHash(PathExists(vae) ? vae.string() : folder);
  }
  return "preset " + section.preset + " " + std::to_string(section.weight_seed) + " " + section.taesd;
}

}  // namespace

DiffusionModel::DiffusionModel(const DiffusionConfig& c, at::Device device)
    : config(c),
      networks(LoadNetworks(c, device)),
      frozen(GraphOptions(c, false, false)),
      trained(GraphOptions(c, true, false)),
      guarded(GraphOptions(c, false, true)) {
  if (!c.data.latent_cache.empty()) {
    cache.emplace(c.data.latent_cache, AutoencoderHash(c.model), "mode, " + c.run.precision);
  }
}

Parameters TrainedParameters(const Networks& networks, const DiffusionConfig& config) {
  Parameters all;
  Insert(kUnet, networks.unet, all);
  if (config.image_encoder == "train") Insert(kImageEncoder, networks.image_encoder, all);
  return all;
}

DrawOptions DrawsOf(const DiffusionConfig& c) {
  return {c.p_mean, c.p_std, c.aug_mean, c.aug_std, c.drop_image_embedding, c.drop_latent};
}

double FpsId(const DiffusionConfig& c, const TrainingClip& clip) {
  return c.fps_id >= 0 ? c.fps_id : clip.fps - 1;
}

double MotionBucket(const DiffusionConfig& c, const TrainingClip& clip) {
  return c.motion_bucket_id >= 0 ? c.motion_bucket_id : clip.motion_bucket_id;
}

at::Tensor EmbedImages(DiffusionModel& m, const Parameters& weights, const at::Tensor& pixel_values,
                       int64_t batch, GraphCache& graphs) {
  const int64_t width = m.networks.configs.unet.cross_attention_dim[0];
  if (!pixel_values.defined())
    return at::zeros({batch, 1, 1, 1, width}, at::TensorOptions(m.networks.device).dtype(at::kFloat));
  const TorchGraph& graph = graphs.Get({"image_encoder", batch, 1, 0, 0}, [&] {
    return BuildClipVision(m.networks.configs.image_encoder, batch);
  });
  if (m.config.image_encoder == "train")
    return graph.Run(Without(kImageEncoder, weights), {{"pixel_values", pixel_values}}).at("image_embeds");
  const c10::NoGradGuard guard;
  return graph.Run(m.networks.image_encoder, {{"pixel_values", pixel_values}}).at("image_embeds");
}

at::Tensor EmbedClips(DiffusionModel& m, const Parameters& weights, const EncodedClips& clips,
                      GraphCache& graphs) {
  return EmbedImages(m, weights, clips.pixel_values, clips.latents.size(0), graphs) * KeptImages(clips);
}

namespace {

std::vector<double> Sigmas(const EncodedClips& clips) {
  std::vector<double> sigma;
  for (const SampleDraws& draws : clips.draws) sigma.push_back(draws.sigma);
  return sigma;
}

// All that the loss depends on besides weights, on the device.
TensorMap LossInputs(const DiffusionModel& m, const EncodedClips& clips) {
  const DiffusionTarget t =
      MakeDiffusionTarget(clips.latents, clips.noise, at::tensor(Sigmas(clips), at::kDouble));
  TensorMap inputs{{"sample", t.sample}, {"timestep", t.timestep},
                   {"target", t.target}, {"condition", clips.condition},
                   {"ids", clips.ids},   {"kept_images", KeptImages(clips)}};
  if (clips.pixel_values.defined()) inputs["pixel_values"] = clips.pixel_values;
  const int64_t motion = m.networks.autoencoder.motion_channels();
  if (motion > 0) inputs["weight"] = MotionWeights(clips.latents, motion, m.config.seen_weight);
  return inputs;
}

// (B)
at::Tensor LossOfEach(DiffusionModel& m, const Parameters& weights, const TensorMap& in, GraphCache& graphs) {
  const at::Tensor& x = in.at("sample");
  const int64_t batch = x.size(0), t = x.size(1), h = x.size(2), w = x.size(3);
  const auto pixels = in.find("pixel_values");
  const at::Tensor embeds =
      EmbedImages(m, weights, pixels == in.end() ? at::Tensor() : pixels->second, batch, graphs) *
      in.at("kept_images");
  const TorchGraph& unet = graphs.Get({"unet", batch, t, h, w},
                                      [&] { return BuildSvdUnet(m.networks.configs.unet, batch, t, h, w); });
  const at::Tensor first = in.at("condition").expand(x.sizes());
  const at::Tensor output = unet.Run(Without(kUnet, weights), {{"sample", at::cat({x, first}, 4)},
                                                               {"timestep", in.at("timestep")},
                                                               {"encoder_hidden_states", embeds},
                                                               {"added_time_ids", in.at("ids")}})
                                .at("sample");
  const auto weight = in.find("weight");
  return DiffusionLoss(output, in.at("target"), weight == in.end() ? at::Tensor() : weight->second);
}

TrainLoss Told(const at::Tensor& each, const EncodedClips& clips) {
  TrainLoss loss{.value = each.mean(), .sigma = {}, .parts = {}};
  const at::Tensor host = each.detach().to(at::kCPU, at::kDouble).contiguous();
  for (int64_t i = 0; i < host.numel(); ++i)
    loss.sigma.Add(clips.draws[size_t(i)].sigma, host.data_ptr<double>()[i]);
  return loss;
}

}  // namespace

TrainLoss DiffusionLossOf(DiffusionModel& m, const Parameters& weights, const EncodedClips& clips,
                          bool guard) {
  return Told(LossOfEach(m, weights, LossInputs(m, clips), guard ? m.guarded : m.trained), clips);
}

TrainLoss RecordedDiffusionLoss(DiffusionModel& m, const Parameters& weights, const EncodedClips& clips) {
  const TensorMap out =
      m.recorded.Run(weights, LossInputs(m, clips), [&](const TensorMap& inputs) -> TensorMap {
        const at::Tensor each = LossOfEach(m, weights, inputs, m.trained);
        each.mean().backward();
        return {{"each", each.detach()}};
      });
  TrainLoss loss = Told(out.at("each"), clips);
  loss.backward_done = true;
  return loss;
}

}  // namespace mvd
