#include "mvd/engine/svd_engine.h"

#include <malloc.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "mvd/base/process_memory.h"
#include "mvd/base/stopwatch.h"
#include "mvd/sample/guidance.h"

namespace mvd {
namespace {

bool SameSizes(const CallSizes& a, const CallSizes& b) {
  return a.batch == b.batch && a.frames == b.frames && a.height == b.height && a.width == b.width &&
         a.picture_height == b.picture_height && a.picture_width == b.picture_width;
}

TensorView As(const TensorView& view, Shape shape) { return {view.dtype, std::move(shape), view.data}; }

// The encoder's latents steer every frame: f32 whatever the rest computes in, as diffusers' force_upcast.
// So does a decoder that reads a picture at places that it computes, and shows it as it is.
bool NeedsF32(const ModelConfigs& configs, std::string_view component) {
  return component == "vae_encoder" || component == "taesd_encoder" ||
         (component == "taesd_decoder" && configs.taesd.motion_channels > 0);
}

// What a loaded stage holds beside its plan: compiled kernels, handles, pages of libraries seen for the first
// time.
constexpr int64_t kOverhead = 48 << 20;

int64_t LatentBytes(const Model& model, const SvdOptions& o) {
  const int64_t factor = ScaleFactor(model.configs().vae);
  return 4 * o.num_frames * (o.height / factor) * (o.width / factor) * model.configs().unet.out_channels;
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
  if (NeedsF32(model_.configs(), component)) options.exec.dtype = DType::kF32;
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

std::string_view SvdEngine::ComponentOf(SvdNetwork network) const {
  switch (network) {
    case SvdNetwork::kImageEmbeds:
      return "image_encoder";
    case SvdNetwork::kVaeEncode:
      return EncoderOf(model_);
    case SvdNetwork::kUnet:
      return "unet";
    case SvdNetwork::kVaeDecode:
      return decoder_;
  }
  MVD_CHECK(false, int(network));
  return "";
}

// Names the first weight that is not finite; weights do not depend on the call's sizes.
std::string SvdEngine::ExplainNotFinite(std::string_view component) const {
  const Graph graph =
      FindComponent(component).build(model_.configs(), {.batch = 1, .frames = 1, .height = 64, .width = 64});
  const auto weights = model_.Weights(component);
  for (ValueId id : graph.All(Op::kWeight)) {
    const std::string& name = graph.node(id).name;
    const Tensor values = ConvertTo(weights->Get(name), DType::kF32);
    weights->Release(name);
    for (const float value : values.f32()) {
      if (!std::isfinite(value))
        return StrCat(": ", weights->Origin(), ": tensor '", name, "' holds ", value);
    }
  }
  return StrCat(", though every weight of ", component, " is");
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
  result.moves_picture = decoder_ == "taesd_decoder" && model_.configs().taesd.motion_channels > 0;
  result.vae_decode = [this, progress, moves = result.moves_picture](const SvdDecodeInput& in) {
    const int64_t factor = PixelsPerLatent(model_.configs(), decoder_);
    const Shape& s = in.latents.shape;
    CallSizes sizes{.batch = 1, .frames = s[0], .height = s[1] * factor, .width = s[2] * factor};
    if (moves) sizes.picture_height = in.picture.shape[1], sizes.picture_width = in.picture.shape[2];
    Network& network = Get(decoder_, sizes, progress);
    std::vector<TensorView> inputs = {As(in.latents, {1, s[0], s[1], s[2], s[3]})};
    const Tensor travel = Tensor::FromVector({1, s[0], 1, 1, 1}, in.travel);
    if (moves) {
      inputs.push_back(
          As(in.picture, {1, 1, sizes.picture_height, sizes.picture_width, in.picture.shape[3]}));
      inputs.push_back(travel);
    }
    Tensor seen;
    if (moves && model_.configs().taesd.motion_features > 0) {
      seen = AreaResize(in.picture, sizes.height, sizes.width).Reshaped({1, 1, sizes.height, sizes.width, 3});
      inputs.push_back(seen);
    }
    Tensor image = std::move(network.Run(inputs)[0]);
    const Shape out = image.shape();
    return std::move(image).Reshaped({out[1], out[2], out[3], out[4]});
  };
  result.explain = [this](SvdNetwork network) { return ExplainNotFinite(ComponentOf(network)); };
  return result;
}

void SvdEngine::Unload() {
  loaded_.clear();
  malloc_trim(0);  // small blocks between the large ones would keep whole pages
}

StageMemory SvdEngine::PlanStage(std::string_view component, const CallSizes& sizes, int64_t beside) const {
  const Network network = Make(component, sizes);
  int64_t outputs = 0, largest = 0;
  for (const Output& output : network.graph().outputs)
    outputs += 4 * network.graph().shape(output.value).elements();
  for (ValueId id : network.graph().All(Op::kWeight))
    largest = std::max(largest, network.graph().shape(id).elements());
  // A weight on its way in: as the file has it, and as f32.
  return {std::string(component), network.Plan(), beside + std::max(outputs, 8 * largest) + kOverhead};
}

StageMemory SvdEngine::PlanDecoder(const SvdOptions& o, int64_t chunk) const {
  const int64_t frame = 12 * o.FrameHeight() * o.FrameWidth();  // f32, with the bytes made of it in the end
  return PlanStage(decoder_,
                   {.batch = 1,
                    .frames = chunk,
                    .height = o.height,
                    .width = o.width,
                    .picture_height = o.FrameHeight(),
                    .picture_width = o.FrameWidth()},
                   frame * (o.num_frames + 1) + 2 * LatentBytes(model_, o));
}

std::vector<StageMemory> SvdEngine::Plan(const SvdOptions& o, int64_t picture_bytes) const {
  const bool guided = GuidanceOn(GuidanceScales(o.min_guidance_scale, o.max_guidance_scale, o.num_frames));
  const int64_t batch = guided && o.guidance_batching ? 2 : 1;
  const int64_t chunk = o.decode_chunk_size > 0 ? std::min(o.decode_chunk_size, o.num_frames) : o.num_frames;
  const int64_t size = model_.configs().image_encoder.image_size;
  const int64_t image = 12 * o.height * o.width, latents = LatentBytes(model_, o);
  // Drawing noise holds it twice, in the order of files and in ours.
  const int64_t drawn = image + latents + std::max(image, latents), kept = picture_bytes + image + drawn;
  const std::vector<StageMemory> stages = {
      PlanStage("image_encoder", {.batch = 1, .frames = 1, .height = size, .width = size}, kept),
      PlanStage(EncoderOf(model_), {.batch = 1, .frames = 1, .height = o.height, .width = o.width},
                kept + image),  // the picture with its noise
      // The noise, the latents, the sampler's three copies, each call's inputs and result.
      PlanStage("unet", {.batch = batch, .frames = o.num_frames, .height = o.height, .width = o.width},
                kept + (5 + 3 * (guided ? 2 : 1)) * latents),
      PlanDecoder(o, chunk)};
  for (const StageMemory& stage : stages) CheckFitsMachine(stage.total(), "the stage " + stage.component);
  return stages;
}

int64_t SvdEngine::FitDecodeChunk(const SvdOptions& options, int64_t max_bytes) const {
  const auto fits = [&](int64_t chunk) {
    try {
      return PlanDecoder(options, chunk).total() <= max_bytes;
    } catch (const Error& error) {  // sizes that fit no machine at all
      if (error.exit() != Exit::kOutOfMemory) throw;
      return false;
    }
  };
  const int64_t frames = options.num_frames;
  if (fits(frames)) return frames;
  int64_t most = 1, too_many = frames;
  while (too_many - most > 1) {
    const int64_t middle = most + (too_many - most) / 2;
    (fits(middle) ? most : too_many) = middle;
  }
  const int64_t calls = (frames + most - 1) / most;
  return (frames + calls - 1) / calls;
}

}  // namespace mvd
