#include "mvd/engine/svd_engine.h"

#include <malloc.h>

#include <algorithm>
#include <cstring>

#include "mvd/base/stopwatch.h"
#include "mvd/sample/guidance.h"

namespace mvd {
namespace {

bool SameSizes(const CallSizes& a, const CallSizes& b) {
  return a.batch == b.batch && a.frames == b.frames && a.height == b.height && a.width == b.width;
}

TensorView As(const TensorView& view, Shape shape) { return {view.dtype, std::move(shape), view.data}; }

// The encoder's latents steer every frame: f32 whatever the rest computes in, as diffusers' force_upcast.
bool NeedsF32(std::string_view component) {
  return component == "vae_encoder" || component == "taesd_encoder";
}

// A model trained on the tiny autoencoder's latents has no other one.
std::string_view EncoderOf(const Model& model) {
  return model.Has("vae_encoder") || !model.Has("taesd_encoder") ? "vae_encoder" : "taesd_encoder";
}

}  // namespace

SvdEngine::SvdEngine(const Model& model, const NetworkOptions& options, DecoderKind decoder)
    : model_(model), options_(options) {
  const bool full = model.Has("vae_decoder"), tiny = model.Has("taesd_decoder");
  if (decoder == DecoderKind::kTiny && !tiny)
    ThrowBadInput(model.origin(), "has no tiny decoder (a folder 'taesd')");
  if (decoder == DecoderKind::kFull && !full)
    ThrowBadInput(model.origin(), "has no decoder (a folder 'vae')");
  decoder_ = decoder == DecoderKind::kTiny || !full ? "taesd_decoder" : "vae_decoder";
}

Network SvdEngine::Make(std::string_view component, const CallSizes& sizes) const {
  NetworkOptions options = options_;
  if (NeedsF32(component)) options.exec.dtype = DType::kF32;
  return Network(FindComponent(component).build(model_.configs(), sizes), options);
}

Network& SvdEngine::Get(std::string_view component, const CallSizes& sizes, const Progress& progress) {
  for (Loaded& loaded : loaded_) {
    if (loaded.component == component && SameSizes(loaded.sizes, sizes)) return *loaded.network;
  }
  Unload();
  const Stopwatch watch;
  auto network = std::make_unique<Network>(Make(component, sizes));
  const auto weights = model_.Weights(component);
  network->Load(*weights, progress ? [&](std::string_view,
                                         double done) { progress("load " + std::string(component), done); }
                                   : Progress());
  load_seconds_ += watch.Seconds();
  loaded_.push_back({std::string(component), sizes, std::move(network)});
  return *loaded_.back().network;
}

SvdComponents SvdEngine::Components(const Progress& progress) {
  SvdComponents result;
  result.scaling_factor = decoder_ == "vae_decoder" ? model_.configs().vae.scaling_factor : 1;
  result.image_embeds = [this, progress](const TensorView& image) {
    ClipPreprocessing preprocessing = model_.preprocessing();
    preprocessing.size = model_.configs().image_encoder.image_size;
    const Tensor pixels = ClipPixels(image, preprocessing);
    Network& network =
        Get("image_encoder",
            {.batch = 1, .frames = 1, .height = preprocessing.size, .width = preprocessing.size}, progress);
    const TensorView inputs[] = {pixels};
    Tensor embeds = std::move(network.Run(inputs)[0]);
    return std::move(embeds).Reshaped({1, model_.configs().image_encoder.projection_dim});
  };
  result.vae_encode = [this, progress](const TensorView& image) {
    Network& network =
        Get(EncoderOf(model_), {.batch = 1, .frames = 1, .height = image.shape[1], .width = image.shape[2]},
            progress);
    const TensorView inputs[] = {image};
    Tensor latent = std::move(network.Run(inputs)[0]);
    const Shape s = latent.shape();
    return std::move(latent).Reshaped({1, s[2], s[3], s[4]});
  };
  result.unet = [this, progress](const SvdUnetInput& in) {
    const int64_t factor = ScaleFactor(model_.configs().vae), batch = in.sample.shape[0];
    Network& network = Get("unet",
                           {.batch = batch,
                            .frames = in.sample.shape[1],
                            .height = in.sample.shape[2] * factor,
                            .width = in.sample.shape[3] * factor},
                           progress);
    const Tensor timestep =
        Tensor::FromVector({batch, 1, 1, 1, 1}, std::vector<float>(size_t(batch), float(in.timestep)));
    const TensorView inputs[] = {in.sample, timestep,
                                 As(in.image_embeds, {batch, 1, 1, 1, in.image_embeds.shape[-1]}),
                                 As(in.added_time_ids, {batch, 1, 1, 1, in.added_time_ids.shape[-1]})};
    return std::move(network.Run(inputs)[0]);
  };
  result.vae_decode = [this, progress](const TensorView& latents) {
    const int64_t factor = PixelsPerLatent(model_.configs(), decoder_);
    const Shape& s = latents.shape;
    Network& network = Get(
        decoder_, {.batch = 1, .frames = s[0], .height = s[1] * factor, .width = s[2] * factor}, progress);
    const TensorView inputs[] = {As(latents, {1, s[0], s[1], s[2], s[3]})};
    Tensor image = std::move(network.Run(inputs)[0]);
    const Shape out = image.shape();
    return std::move(image).Reshaped({out[1], out[2], out[3], out[4]});
  };
  return result;
}

void SvdEngine::Unload() {
  loaded_.clear();
  malloc_trim(0);  // small blocks between the large ones would keep whole pages
}

std::vector<StageMemory> SvdEngine::Plan(const SvdOptions& o) const {
  const bool guided = GuidanceOn(GuidanceScales(o.min_guidance_scale, o.max_guidance_scale, o.num_frames));
  const int64_t batch = guided && o.guidance_batching ? 2 : 1;
  const int64_t chunk = o.decode_chunk_size > 0 ? std::min(o.decode_chunk_size, o.num_frames) : o.num_frames;
  const int64_t size = model_.configs().image_encoder.image_size;
  std::vector<StageMemory> stages;
  const auto add = [&](std::string_view component, const CallSizes& sizes) {
    stages.push_back({std::string(component), Make(component, sizes).Plan()});
  };
  add("image_encoder", {.batch = 1, .frames = 1, .height = size, .width = size});
  add(EncoderOf(model_), {.batch = 1, .frames = 1, .height = o.height, .width = o.width});
  add("unet", {.batch = batch, .frames = o.num_frames, .height = o.height, .width = o.width});
  add(decoder_, {.batch = 1, .frames = chunk, .height = o.height, .width = o.width});
  return stages;
}

int64_t SvdEngine::FitDecodeChunk(const SvdOptions& options, int64_t max_bytes) const {
  for (int64_t chunk = options.num_frames; chunk > 1; --chunk) {
    const CallSizes sizes{.batch = 1, .frames = chunk, .height = options.height, .width = options.width};
    if (Make(decoder_, sizes).Plan().total() <= max_bytes) return chunk;
  }
  return 1;
}

}  // namespace mvd
