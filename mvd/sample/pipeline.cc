#include "mvd/sample/pipeline.h"

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <utility>
#include <vector>

#include "mvd/base/error.h"
#include "mvd/base/motion.h"
#include "mvd/sample/guidance.h"
#include "mvd/sample/preconditioning.h"

namespace mvd {
namespace {

// The VAE's spatial factor. No higher multiple is needed: latents of odd size are legal.
constexpr int64_t kPixelMultiple = 8;
// Height, width and frames: their product and what is counted from it stay far inside int64.
constexpr int64_t kMaxSize = 1 << 16;

void ExpectShape(const char* name, const TensorView& tensor, const Shape& expected) {
  if (tensor.shape == expected) return;
  ThrowBadInput("", name, ": found shape ", tensor.shape, ", expected ", expected);
}

template <class T>
void ExpectAtLeast(const char* option, T found, T least) {
  if (!(found >= least)) ThrowUsage(option, ": found ", found, ", expected at least ", least);
}

void ExpectRange(const char* option, int64_t found, int64_t most) {
  if (found < 1 || found > most) ThrowUsage(option, ": found ", found, ", expected 1 to ", most);
}

void ExpectFinite(const char* option, double found) {
  if (!std::isfinite(found)) ThrowUsage(option, ": found ", found, ", expected a finite number");
}

// Throws where a number is not finite; `stage` as the message's beginning. A clip made of it would be black.
void ExpectFinite(const SvdComponents& components, SvdNetwork network, const std::string& stage,
                  std::span<const float> values) {
  const auto bad = std::ranges::count_if(values, [](float value) { return !std::isfinite(value); });
  if (bad == 0) return;
  ThrowBadInput("", stage, ": ", bad, " of ", values.size(), " numbers are not finite",
                components.explain ? components.explain(network) : "");
}

// "denoise, step 3 of 25": the step that begins at this noise level, or where Heun's method looks ahead.
std::string StepName(const Schedule& schedule, double sigma) {
  const auto at = std::ranges::find(schedule.sigmas, float(sigma)) - schedule.sigmas.begin();
  return StrCat("denoise, step ", std::min<int64_t>(at + 1, schedule.steps()), " of ", schedule.steps());
}

// Standard normals of a channels-first shape, in the order diffusers draws them, as a channels-last tensor.
Tensor DrawChannelsLast(Rng& rng, const Shape& channels_first) {
  Tensor noise(channels_first);
  rng.Normal(noise.f32());
  return ToChannelsLast(noise);
}

// The inputs of one UNet call. The image's latents are written once; a step rewrites the noisy half.
struct UnetInputs {
  Tensor sample;  // (B,T,h,w,2C)
  Tensor embeds;  // (B,1,D)
  Tensor ids;     // (B,3)
};

// `conditions`: for every sample of the batch whether it sees the image; one that does not gets zeros for the
// image's embedding and latents alike.
UnetInputs MakeInputs(const SvdConditioning& conditioning, const Shape& latents,
                      std::initializer_list<bool> conditions) {
  const int64_t batch = int64_t(conditions.size()), channels = latents[4];
  const int64_t frame_pixels = latents[2] * latents[3], pixels = latents[1] * frame_pixels;
  const std::span<const float> embeds = conditioning.image_embeds.f32();
  const std::span<const float> ids = conditioning.added_time_ids.f32();
  const std::span<const float> image = conditioning.image_latents.f32();
  UnetInputs inputs{Tensor::Zeros({batch, latents[1], latents[2], latents[3], 2 * channels}),
                    Tensor::Zeros({batch, 1, int64_t(embeds.size())}), Tensor({batch, 3})};
  int64_t b = 0;
  for (const bool condition : conditions) {
    std::copy(ids.begin(), ids.end(), inputs.ids.f32().begin() + b * 3);
    if (condition) {
      std::copy(embeds.begin(), embeds.end(), inputs.embeds.f32().begin() + b * int64_t(embeds.size()));
      float* sample = &inputs.sample.f32()[size_t(b * pixels * 2 * channels)];
      for (int64_t pixel = 0; pixel < pixels; ++pixel) {
        std::copy_n(&image[size_t(pixel % frame_pixels * channels)], channels,
                    sample + (2 * pixel + 1) * channels);
      }
    }
    ++b;
  }
  return inputs;
}

// The UNet calls of a step: guidance needs two predictions, from one call or from two.
std::vector<UnetInputs> MakeCalls(const SvdConditioning& conditioning, const Shape& latents, bool guided,
                                  bool batching) {
  std::vector<UnetInputs> calls;
  if (guided && batching) {
    calls.push_back(MakeInputs(conditioning, latents, {false, true}));
  } else {
    if (guided) calls.push_back(MakeInputs(conditioning, latents, {false}));
    calls.push_back(MakeInputs(conditioning, latents, {true}));
  }
  return calls;
}

// Writes x * c_in, x (1,T,h,w,C), into the noisy half of every sample of the batch and runs the UNet.
Tensor CallUnet(const SvdComponents& components, UnetInputs& inputs, std::span<const float> x, double c_in,
                double timestep) {
  Shape expected = inputs.sample.shape();
  const int64_t channels = expected[-1] / 2;
  expected[-1] = channels;
  const std::span<float> sample = inputs.sample.f32();
  for (size_t i = 0; i < sample.size() / 2; ++i) {
    sample[i + i / size_t(channels) * size_t(channels)] = float(x[i % x.size()] * c_in);
  }
  Tensor prediction = components.unet({inputs.sample, timestep, inputs.embeds, inputs.ids});
  ExpectShape("the UNet's output", prediction, expected);
  return prediction;
}

// Writes the prediction for x, guided if `scales` ask for it.
void Predict(const SvdComponents& components, std::vector<UnetInputs>& calls, std::span<const float> scales,
             std::span<const float> x, double c_in, double timestep, std::span<float> prediction) {
  std::vector<Tensor> results;
  for (UnetInputs& inputs : calls) results.push_back(CallUnet(components, inputs, x, c_in, timestep));
  const std::span<const float> first = results.front().f32(), last = results.back().f32();
  if (GuidanceOn(scales)) {
    Guide(first.first(x.size()), last.last(x.size()), scales, prediction);
  } else {
    std::copy(last.begin(), last.end(), prediction.begin());
  }
}

}  // namespace

void CheckSvdOptions(const SvdOptions& options) {
  for (const auto& [name, value] : {std::pair("height", options.height), std::pair("width", options.width)}) {
    if (value < kPixelMultiple || value > kMaxSize || value % kPixelMultiple != 0) {
      ThrowUsage(name, ": found ", value, ", expected a multiple of ", kPixelMultiple, " from ",
                 kPixelMultiple, " to ", kMaxSize);
    }
  }
  ExpectRange("num_frames", options.num_frames, kMaxSize);
  ExpectRange("num_inference_steps", options.num_inference_steps, kMaxSteps);
  ExpectAtLeast<int64_t>("decode_chunk_size", options.decode_chunk_size, 0);
  ExpectFinite("fps", options.fps_id.value_or(options.fps));
  ExpectFinite("motion_bucket_id", options.motion_bucket_id);
  ExpectFinite("noise_aug_strength", options.noise_aug_strength);
  ExpectAtLeast("noise_aug_strength", options.noise_aug_strength, 0.0);
  ExpectFinite("min_guidance_scale", options.min_guidance_scale);
  ExpectFinite("max_guidance_scale", options.max_guidance_scale);
  GuidanceScales(options.min_guidance_scale, options.max_guidance_scale, options.num_frames);
  FindSampler(options.sampler);
}

SvdNoise DrawSvdNoise(Rng& rng, const SvdOptions& options, int64_t latent_channels,
                      int64_t vae_scale_factor) {
  const int64_t h = options.height / vae_scale_factor, w = options.width / vae_scale_factor;
  SvdNoise noise;
  noise.image = DrawChannelsLast(rng, {1, 3, options.height, options.width});
  noise.latents = DrawChannelsLast(rng, {1, options.num_frames, latent_channels, h, w});
  if (options.shared_noise) {
    const std::span<float> all = noise.latents.f32();
    const std::span<const float> first = all.first(all.size() / size_t(options.num_frames));
    for (size_t i = first.size(); i < all.size(); i += first.size())
      std::copy(first.begin(), first.end(), all.begin() + ptrdiff_t(i));
  }
  return noise;
}

SvdConditioning EncodeSvd(const SvdComponents& components, const TensorView& clip_image,
                          const TensorView& image, const TensorView& image_noise, const SvdOptions& options,
                          const SampleHooks& hooks) {
  CheckSvdOptions(options);
  ExpectShape("image", image, {1, options.height, options.width, 3});
  ExpectShape("image_noise", image_noise, image.shape);
  if (hooks.cancel) hooks.cancel->Poll();
  SvdConditioning result;
  result.image_embeds = components.image_embeds(clip_image);
  MVD_CHECK_EQ(result.image_embeds.shape().rank(), 2);
  MVD_CHECK_EQ(result.image_embeds.shape()[0], 1);
  const int64_t d = result.image_embeds.shape()[1];
  result.image_embeds = std::move(result.image_embeds).Reshaped({1, 1, d});
  ExpectFinite(components, SvdNetwork::kImageEmbeds, "encode, the picture's embedding",
               result.image_embeds.f32());
  if (hooks.progress) hooks.progress("encode", 0.5);

  if (hooks.cancel) hooks.cancel->Poll();
  Tensor noisy(image.shape);
  const std::span<const float> pixels = image.f32(), noise = image_noise.f32();
  const float strength = float(options.noise_aug_strength);
  std::transform(pixels.begin(), pixels.end(), noise.begin(), noisy.f32().begin(),
                 [&](float pixel, float draw) { return pixel + strength * draw; });
  result.image_latents = components.vae_encode(noisy);
  MVD_CHECK_EQ(result.image_latents.shape().rank(), 4);
  ExpectFinite(components, SvdNetwork::kVaeEncode, "encode, the picture's latents",
               result.image_latents.f32());
  const float ids[] = {float(options.fps_id.value_or(options.fps - 1)), float(options.motion_bucket_id),
                       float(options.noise_aug_strength)};
  result.added_time_ids = Tensor::FromVector({1, 3}, ids);
  if (hooks.progress) hooks.progress("encode", 1);
  return result;
}

Tensor DenoiseSvd(const SvdComponents& components, const SvdConditioning& conditioning,
                  const Schedule& schedule, const TensorView& latent_noise, const SvdOptions& options,
                  const SampleHooks& hooks) {
  CheckSvdOptions(options);
  const Shape& image = conditioning.image_latents.shape();
  ExpectShape("latent_noise", latent_noise, {1, options.num_frames, image[1], image[2], image[3]});
  if (schedule.steps() != options.num_inference_steps) {
    ThrowUsage("num_inference_steps: found ", options.num_inference_steps, ", expected the schedule's ",
               schedule.steps());
  }
  const std::vector<float> scales =
      GuidanceScales(options.min_guidance_scale, options.max_guidance_scale, options.num_frames);
  std::vector<UnetInputs> calls =
      MakeCalls(conditioning, latent_noise.shape, GuidanceOn(scales), options.guidance_batching);
  // EDM Eq. 7. Guidance acts on the prediction F, as in diffusers; D is affine in F, so on D it is the same.
  const Denoiser denoiser = [&](std::span<const float> x, double sigma, std::span<float> denoised) {
    const Preconditioning c = Precondition(schedule.prediction_type, sigma);
    Predict(components, calls, scales, x, c.c_in, TimestepOf(schedule, sigma), denoised);
    for (size_t i = 0; i < x.size(); ++i) denoised[i] = float(c.c_skip * x[i] + c.c_out * denoised[i]);
    ExpectFinite(components, SvdNetwork::kUnet, StepName(schedule, sigma), denoised);
  };
  Tensor latents(latent_noise.shape);
  const std::span<const float> noise = latent_noise.f32();
  std::transform(noise.begin(), noise.end(), latents.f32().begin(),
                 [&](float value) { return float(value * schedule.init_noise_sigma); });
  FindSampler(options.sampler).run(denoiser, schedule.sigmas, latents.f32(), hooks);
  ExpectFinite(components, SvdNetwork::kUnet, "denoise, the latents", latents.f32());
  return latents;
}

namespace {

// What the frames `first` to `first` + `count` of a clip are decoded from: latents (count,h,w,C), unscaled,
// and how far motion has come.
struct DecodeChunk {
  DecodeChunk(const SvdComponents& components, const TensorView& latents, double motion_bucket_id,
              int64_t first, int64_t count)
      : part({count, latents.shape[2], latents.shape[3], latents.shape[4]}) {
    const size_t latent = size_t(part.elements() / count);
    const std::span<const float> source =
        latents.f32().subspan(size_t(first) * latent, size_t(count) * latent);
    std::transform(source.begin(), source.end(), part.f32().begin(),
                   [&](float value) { return float(value / components.scaling_factor); });
    for (int64_t t = first; t < first + count; ++t)
      travel.push_back(float(MotionTravel(motion_bucket_id, t)));
  }
  Tensor part;
  std::vector<float> travel;
};

}  // namespace

Tensor DecodeSvd(const SvdComponents& components, const TensorView& latents, const SvdOptions& options,
                 const SampleHooks& hooks, const TensorView& picture) {
  CheckSvdOptions(options);
  MVD_CHECK_EQ(latents.shape.rank(), 5);
  const int64_t frames = options.num_frames;
  ExpectShape("latents", latents, {1, frames, latents.shape[2], latents.shape[3], latents.shape[4]});
  if (std::ranges::any_of(latents.f32(), [](float value) { return !std::isfinite(value); }))
    ThrowBadInput("", "decode: the latents hold numbers that are not finite");
  const int64_t height = options.FrameHeight(), width = options.FrameWidth();
  if (components.moves_picture)
    ExpectShape("decode: the picture that is moved", picture, {1, height, width, 3});
  const int64_t chunk = options.decode_chunk_size ? options.decode_chunk_size : frames;
  Tensor result({frames, height, width, 3});
  for (int64_t first = 0; first < frames; first += chunk) {
    if (hooks.cancel) hooks.cancel->Poll();
    const int64_t count = std::min(chunk, frames - first);
    const DecodeChunk from(components, latents, options.motion_bucket_id, first, count);
    const Tensor decoded = components.vae_decode({from.part, picture, from.travel});
    ExpectShape("the decoder's output", decoded, {count, height, width, 3});
    const std::span<const float> pixels = decoded.f32();
    ExpectFinite(components, SvdNetwork::kVaeDecode,
                 StrCat("decode, frames ", first + 1, " to ", first + count, " of ", frames), pixels);
    std::transform(pixels.begin(), pixels.end(), &result.f32()[size_t(first * height * width * 3)],
                   [](float value) { return std::clamp(value / 2 + 0.5f, 0.0f, 1.0f); });
    if (hooks.progress) hooks.progress("decode", double(first + count) / double(frames));
  }
  return result;
}

}  // namespace mvd
