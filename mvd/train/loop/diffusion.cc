#include "mvd/train/loop/diffusion.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <cmath>

#include "mvd/base/error.h"
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

at::Tensor Noise(uint64_t seed, uint64_t sample, NoiseKind kind, at::IntArrayRef shape) {
  at::Tensor noise = at::empty(shape, at::kFloat);
  DrawNoise(seed, sample, kind, {noise.data_ptr<float>(), size_t(noise.numel())});
  return noise;
}

// Unscaled latents (T,1,h,w,C), from the cache or by `encode`, which then fills it.
template <class Encode>
at::Tensor CachedLatents(LatentCache& cache, const TrainingClip& clip, Encode encode) {
  constexpr char kName[] = "latents";
  const std::string key = cache.Key(clip);
  if (const auto found = cache.Get(key)) return ToTorch(found->at(kName).view());
  const at::Tensor latents = encode();
  LatentTensors entry;
  entry.emplace(kName, FromTorch(latents.to(at::kCPU)));
  cache.Put(key, entry);
  return latents;
}

// What tells one autoencoder's latents from another's.
std::string AutoencoderHash(const ModelSection& section) {
  const std::string& folder = section.autoencoder.empty() ? section.folder : section.autoencoder;
  if (!folder.empty()) {
    // Of a pipeline its autoencoder alone: the next stage's UNet, too, finds what this one's encoded.
    const std::filesystem::path vae = std::filesystem::path(folder) / "vae";
    return ModelHash(std::filesystem::exists(vae) ? vae.string() : folder);
  }
  return "preset " + section.preset + " " + std::to_string(section.weight_seed) + " " + section.taesd;
}

at::Tensor ClipValues(const DiffusionModel& m, const at::Tensor& first_frame) {
  Tensor image = FromTorch(first_frame);
  const Shape s = image.shape();
  Tensor pixels = ClipPixels(std::move(image).Reshaped({1, s[2], s[3], 3}), m.networks.preprocessing);
  const int64_t size = m.networks.preprocessing.size;
  return ToTorch(pixels).view({1, 1, size, size, 3});
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

EncodedClip EncodeClip(DiffusionModel& m, const TrainingItem& item, bool drop_conditions) {
  const TrainingClip& clip = item.clip;
  const uint64_t seed = uint64_t(m.config.run.seed);
  EncodedClip e;
  e.draws = DrawSample(seed, item.sample, DrawsOf(m.config));
  // Where conditions are judged, only what the network never sees stays away.
  if (!drop_conditions) {
    e.draws.drop_image = m.config.drop_image_embedding >= 1;
    e.draws.drop_latent = m.config.drop_latent >= 1;
  }
  const at::Tensor frames = SignedPixels(clip.pixels.data(), clip.frames, clip.height, clip.width);
  const at::Tensor first = frames.narrow(0, 0, 1);
  const at::Tensor noised =
      first + e.draws.sigma_condition * Noise(seed, item.sample, NoiseKind::kPicture, first.sizes());
  const auto encode = [&](const at::Tensor& images) {
    return EncodeImages(m.networks.autoencoder, images.to(m.networks.device), m.frozen);
  };
  const double scaling = m.networks.autoencoder.scaling;
  if (m.cache) {
    e.latents = CachedLatents(*m.cache, clip, [&] { return encode(frames); }).to(m.networks.device) * scaling;
    e.condition = encode(noised);
  } else {  // the clip and its noised first frame in one call
    const at::Tensor all = encode(at::cat({frames, noised}));
    e.latents = all.narrow(0, 0, clip.frames) * scaling;
    e.condition = all.narrow(0, clip.frames, 1);
  }
  e.latents = e.latents.squeeze(1).unsqueeze(0);
  if (e.draws.drop_latent) e.condition = at::zeros_like(e.condition);
  e.noise = Noise(seed, item.sample, NoiseKind::kLatents, e.latents.sizes()).to(m.networks.device);
  if (!m.networks.image_encoder.empty()) e.pixel_values = ClipValues(m, first).to(m.networks.device);
  e.ids =
      at::tensor({FpsId(m.config, clip), MotionBucket(m.config, clip), e.draws.sigma_condition}, at::kFloat)
          .view({1, 1, 1, 1, 3})
          .to(m.networks.device);
  return e;
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

TrainLoss DiffusionLossOf(DiffusionModel& m, const Parameters& weights, const std::vector<EncodedClip>& clips,
                          bool guard) {
  const int64_t batch = int64_t(clips.size());
  std::vector<at::Tensor> latents, noise, condition, pixels, ids;
  std::vector<double> sigma, keep_image;
  for (const EncodedClip& c : clips) {
    latents.push_back(c.latents), noise.push_back(c.noise), condition.push_back(c.condition);
    ids.push_back(c.ids);
    if (c.pixel_values.defined()) pixels.push_back(c.pixel_values);
    sigma.push_back(c.draws.sigma), keep_image.push_back(c.draws.drop_image ? 0 : 1);
  }
  GraphCache& graphs = guard ? m.guarded : m.trained;
  const DiffusionTarget target =
      MakeDiffusionTarget(at::cat(latents), at::cat(noise), at::tensor(sigma, at::kDouble));
  const at::Tensor& x = target.sample;
  at::Tensor embeds = EmbedImages(m, weights, pixels.empty() ? at::Tensor() : at::cat(pixels), batch, graphs);
  embeds = embeds * at::tensor(keep_image, embeds.options()).view({batch, 1, 1, 1, 1});
  const int64_t t = x.size(1), h = x.size(2), w = x.size(3);
  const at::Tensor first = at::cat(condition).expand({batch, t, h, w, x.size(4)});
  const TorchGraph& unet = graphs.Get({"unet", batch, t, h, w},
                                      [&] { return BuildSvdUnet(m.networks.configs.unet, batch, t, h, w); });
  const at::Tensor output = unet.Run(Without(kUnet, weights), {{"sample", at::cat({x, first}, 4)},
                                                               {"timestep", target.timestep},
                                                               {"encoder_hidden_states", embeds},
                                                               {"added_time_ids", at::cat(ids)}})
                                .at("sample");
  const at::Tensor each = DiffusionLoss(output, target.target);
  TrainLoss loss{.value = each.mean(), .sigma = {}, .parts = {}};
  const at::Tensor host = each.detach().to(at::kCPU, at::kDouble).contiguous();
  for (int64_t i = 0; i < batch; ++i) loss.sigma.Add(sigma[size_t(i)], host.data_ptr<double>()[i]);
  return loss;
}

}  // namespace mvd
