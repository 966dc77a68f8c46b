#include "mvd/evaluate/clip_maker.h"

#include <algorithm>

#include "mvd/base/rng.h"

namespace mvd {
namespace {

struct State {
  SvdOptions options;
  Tensor latent_noise;
  SvdConditioning conditioning;
  Tensor latents;
};

Tensor SignedPicture(std::span<const float> picture, int64_t height, int64_t width) {
  MVD_CHECK_EQ(int64_t(picture.size()), height * width * 3);
  Tensor image({1, height, width, 3}, DType::kF32);
  for (size_t i = 0; i < picture.size(); ++i) image.f32()[i] = picture[i] * 2 - 1;
  return image;
}

std::vector<float> Values(const Tensor& tensor) {
  const auto values = tensor.f32();
  return {values.begin(), values.end()};
}

// Writes motion (T,h,w,M) into the last channels of latents (1,T,h,w,C).
void PutMotion(const std::vector<float>& motion, Tensor& latents) {
  const int64_t channels = latents.shape()[4], pixels = latents.elements() / channels;
  const auto size = int64_t(motion.size()) / pixels;
  for (int64_t pixel = 0; pixel < pixels && size > 0; ++pixel)
    std::copy_n(&motion[size_t(pixel * size)], size, &latents.f32()[size_t((pixel + 1) * channels - size)]);
}

class Stages {
 public:
  Stages(const SampleHooks& hooks, size_t clips) : hooks_(hooks), clips_(clips) {}

  // Runs `work` for each clip and tells the share done.
  template <class Work>
  void Run(const char* stage, const Work& work) {
    for (size_t i = 0; i < clips_; ++i) {
      if (hooks_.cancel) hooks_.cancel->Poll();
      work(i);
      if (hooks_.progress) hooks_.progress(stage, double(i + 1) / double(clips_));
    }
  }

 private:
  const SampleHooks& hooks_;
  size_t clips_;
};

}  // namespace

std::vector<FloatClip> MakeClips(SvdEngine& engine, const Model& model,
                                 const std::vector<ClipRequest>& requests, const SvdOptions& options,
                                 const SampleHooks& hooks) {
  const SvdComponents components = engine.Components();
  const Schedule schedule =
      MakeSchedule(model.scheduler(), options.num_inference_steps, model.scheduler_file());
  const int64_t channels = model.configs().unet.out_channels, factor = ScaleFactor(model.configs().vae);
  std::vector<State> states(requests.size());
  std::vector<FloatClip> made(requests.size());
  Stages stages(hooks, requests.size());
  stages.Run("embed", [&](size_t i) {
    State& s = states[i];
    s.options = options;
    s.options.motion_bucket_id = requests[i].motion_bucket_id;
    const Tensor image = SignedPicture(requests[i].picture, options.height, options.width);
    s.conditioning.image_embeds = components.image_embeds(image);
  });
  stages.Run("encode", [&](size_t i) {
    State& s = states[i];
    const Tensor image = SignedPicture(requests[i].picture, options.height, options.width);
    Rng rng(RngKind::kPhilox, requests[i].seed);
    SvdNoise noise = DrawSvdNoise(rng, s.options, channels, factor);
    s.latent_noise = std::move(noise.latents);
    // The pipeline's own encoding, with the embedding that is already there.
    SvdComponents rest = components;
    rest.image_embeds = [&](const TensorView&) { return std::move(s.conditioning.image_embeds); };
    s.conditioning = EncodeSvd(rest, image, image, noise.image, s.options);
  });
  stages.Run("denoise", [&](size_t i) {
    State& s = states[i];
    s.latents = DenoiseSvd(components, s.conditioning, schedule, s.latent_noise, s.options);
  });
  stages.Run("decode", [&](size_t i) {
    State& s = states[i];
    const Tensor picture = SignedPicture(requests[i].picture, options.height, options.width);
    made[i] = {options.num_frames, options.height, options.width,
               Values(DecodeSvd(components, s.latents, s.options, {}, picture))};
  });
  return made;
}

std::vector<FloatClip> Reconstruct(SvdEngine& engine, const Model& model, const std::vector<RealClip>& clips,
                                   const SvdOptions& options, const SampleHooks& hooks) {
  const SvdComponents components = engine.Components();
  // The encoder's latents as they are; the decoder takes those of the diffusion, which SVD scales.
  const float scaling = model.Has("vae_encoder") ? float(model.configs().vae.scaling_factor) : 1;
  std::vector<Tensor> latents(clips.size());
  std::vector<FloatClip> made(clips.size());
  Stages stages(hooks, clips.size());
  stages.Run("encode", [&](size_t i) {
    const FloatClip& clip = clips[i].clip;
    for (int64_t t = 0; t < clip.frames; ++t) {
      const Tensor one = components.vae_encode(SignedPicture(clip.Frame(t), options.height, options.width));
      const Shape s = one.shape();
      if (t == 0) latents[i] = Tensor({1, clip.frames, s[1], s[2], s[3]}, DType::kF32);
      float* const frame = &latents[i].f32()[size_t(t) * one.f32().size()];
      std::transform(one.f32().begin(), one.f32().end(), frame, [&](float x) { return x * scaling; });
    }
    if (components.moves_picture) PutMotion(clips[i].motion, latents[i]);
  });
  stages.Run("decode", [&](size_t i) {
    SvdOptions o = options;
    o.num_frames = clips[i].clip.frames;
    o.motion_bucket_id = clips[i].motion_bucket_id;
    const Tensor picture = SignedPicture(clips[i].clip.Frame(0), o.height, o.width);
    made[i] = {o.num_frames, o.height, o.width, Values(DecodeSvd(components, latents[i], o, {}, picture))};
  });
  return made;
}

}  // namespace mvd
