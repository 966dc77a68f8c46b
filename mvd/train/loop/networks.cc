#include "mvd/train/loop/networks.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "mvd/base/error.h"
#include "mvd/engine/random_weights.h"
#include "mvd/train/loop/start.h"
#include "mvd/train/loop/tensors.h"
#include "mvd/train/run_models.h"

namespace mvd {
namespace {

constexpr CallSizes kAnySizes{.batch = 1, .frames = 1, .height = 64, .width = 64};

Parameters Load(const Graph& graph, WeightSource& weights, at::Device device) {
  return LoadParameters(graph, weights, device);
}

Parameters Frozen(Parameters parameters) {
  for (auto& [name, tensor] : parameters) tensor = tensor.detach();
  return parameters;
}

Parameters LoadComponent(const Model& model, const ModelConfigs& configs, std::string_view component,
                         at::Device device) {
  return Load(FindComponent(component).build(configs, kAnySizes), *model.Weights(component), device);
}

Autoencoder LoadAutoencoder(const ModelSection& section, const Model& model, at::Device device) {
  const Model source = section.autoencoder.empty() ? model : Model::Open(section.autoencoder);
  Autoencoder a;
  a.taesd = source.configs().taesd;
  if (!section.autoencoder.empty()) a.taesd = OverlaidConfig(a.taesd, section.taesd, "model.taesd");
  a.vae = source.configs().vae;
  // Random weights: the smaller of the two, since neither means anything.
  const bool random = section.autoencoder.empty() && section.folder.empty();
  a.tiny = random || !source.Has("vae_encoder");
  a.scaling = a.tiny ? 1 : a.vae.scaling_factor;
  ModelConfigs c = source.configs();
  c.taesd = a.taesd;
  a.encoder = Frozen(LoadComponent(source, c, a.tiny ? "taesd_encoder" : "vae_encoder", device));
  a.decoder = Frozen(LoadComponent(source, c, a.tiny ? "taesd_decoder" : "vae_decoder", device));
  return a;
}

}  // namespace

Model OpenModel(const ModelSection& section, const Threads& threads) {
  CheckModelSection(section);
  if (!section.folder.empty()) return Model::Open(section.folder);
  Preset preset = FindPreset(section.preset);
  preset.models.unet = OverlaidConfig(preset.models.unet, section.unet, "model.unet");
  if (section.autoencoder.empty())  // else it is laid over that one's
    preset.models.taesd = OverlaidConfig(preset.models.taesd, section.taesd, "model.taesd");
  return Model::Random(preset, uint64_t(section.weight_seed), DType::kF32, threads);
}

at::Device DeviceOf(const std::string& name, int local_rank) {
  if (name == "cpu") return at::kCPU;
  if (!at::hasCUDA()) ThrowUsage("run.device cuda: no CUDA device is to be found, or LibTorch has no CUDA");
  return at::Device(at::kCUDA, at::DeviceIndex(local_rank));
}

Networks LoadNetworks(const DiffusionConfig& config, at::Device device) {
  const Threads threads{HardwareThreads()};
  const Model model = OpenModel(config.model, threads);
  Networks n;
  n.device = device;
  n.configs = model.configs();
  n.preprocessing = model.preprocessing();
  n.autoencoder = LoadAutoencoder(config.model, model, device);
  n.configs.vae = n.autoencoder.vae;
  n.configs.taesd = n.autoencoder.taesd;
  n.unet = LoadComponent(model, n.configs, "unet", device);
  if (config.model.start == "copy" && config.model.folder.empty()) StartAsCopy(n.configs.unet, n.unet);
  if (config.image_encoder != "none") {
    const Model source = config.model.image_encoder.empty() ? model : Model::Open(config.model.image_encoder);
    n.configs.image_encoder = source.configs().image_encoder;
    n.image_encoder = LoadComponent(source, n.configs, "image_encoder", device);
    if (config.image_encoder == "frozen") n.image_encoder = Frozen(std::move(n.image_encoder));
  }
  n.preprocessing.size = n.configs.image_encoder.image_size;
  const int64_t c = n.autoencoder.channels();
  const SvdUnetConfig& u = n.configs.unet;
  if (u.out_channels != c || u.in_channels != 2 * c) {
    ThrowUsage("the autoencoder's latents have ", c, " channels, but the UNet takes ", u.in_channels,
               " and gives ", u.out_channels, ", expected ", 2 * c, " and ", c);
  }
  const int64_t embed = u.cross_attention_dim[0];
  if (config.image_encoder != "none" && n.configs.image_encoder.projection_dim != embed) {
    ThrowUsage("the image encoder gives ", n.configs.image_encoder.projection_dim,
               " values, but the UNet's cross_attention_dim is ", embed);
  }
  return n;
}

at::Tensor EncodeImages(const Autoencoder& a, const at::Tensor& images, int64_t at_once, GraphCache& graphs) {
  const c10::NoGradGuard guard;
  const int64_t h = images.size(2), w = images.size(3);
  std::vector<at::Tensor> latents;
  for (const at::Tensor& part : images.split(at_once)) {
    const int64_t n = part.size(0);
    const TorchGraph& graph = graphs.Get({"encoder", n, 1, h, w}, [&] {
      return a.tiny ? BuildTaesdEncoder(a.taesd, n, h, w) : BuildVaeEncoder(a.vae, n, h, w);
    });
    latents.push_back(graph.Run(a.encoder, {{"image", part}}).at("latent"));
  }
  return at::cat(latents);
}

at::Tensor DecodeLatents(const Autoencoder& a, const at::Tensor& latents, GraphCache& graphs,
                         const at::Tensor& picture, const at::Tensor& travel) {
  const c10::NoGradGuard guard;
  const int64_t b = latents.size(0), t = latents.size(1), h = latents.size(2), w = latents.size(3);
  const TorchGraph& graph = graphs.Get({"decoder", b, t, h, w}, [&] {
    return a.tiny ? BuildTaesdDecoder(a.taesd, b, t, h, w) : BuildVaeDecoder(a.vae, b, t, h, w);
  });
  TensorMap inputs{{"latent", latents / a.scaling}};
  if (a.motion_channels() > 0) inputs["picture"] = picture, inputs["travel"] = travel;
  if (a.motion_channels() > 0 && a.taesd.motion_features > 0) inputs["seen"] = picture;
  return graph.Run(a.decoder, inputs).at("image");
}

}  // namespace mvd
