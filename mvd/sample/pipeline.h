// Stable Video Diffusion's image-to-video pipeline (arXiv 2311.15127) over callables, step by step what
// diffusers' StableVideoDiffusionPipeline computes. Three stages, so that a caller can time them and keep the
// latents between them. All tensors are f32, channels last; h, w are the latents' height and width.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "mvd/base/rng.h"
#include "mvd/base/tensor.h"
#include "mvd/sample/denoiser.h"
#include "mvd/sample/schedule.h"

namespace mvd {

struct SvdUnetInput {
  TensorView sample;          // (B,T,h,w,2C): scaled noise first, then the image's latents
  double timestep = 0;        // 0.25 ln sigma for SVD
  TensorView image_embeds;    // (B,1,D)
  TensorView added_time_ids;  // (B,3): fps - 1, motion bucket, noise augmentation
};

struct SvdDecodeInput {
  TensorView latents;  // (T',h,w,C), frames of one clip, unscaled
  // For decoders that move the clip's picture: the picture (1,H,W,3) in [-1,1], which is the first frame, and
  // MotionTravel of each frame (T').
  TensorView picture;
  std::span<const float> travel;
};

enum class SvdNetwork { kImageEmbeds, kVaeEncode, kUnet, kVaeDecode };

// Each stage checks what its networks give: Error(kBadInput) that names the stage, and the step or frames,
// where a number is not finite.
struct SvdComponents {
  std::function<Tensor(const TensorView& image)> image_embeds;  // (1,H',W',3), f32 in [-1,1] or u8 -> (1,D)
  std::function<Tensor(const TensorView& image)> vae_encode;    // (1,H,W,3) -> (1,h,w,C): the mode, unscaled
  std::function<Tensor(const SvdUnetInput& input)> unet;        // -> (B,T,h,w,C)
  std::function<Tensor(const SvdDecodeInput& input)> vae_decode;  // -> (T',H,W,3)
  // Why a result is not finite, as the end of a sentence (": unet: tensor 'x' holds nan"),
  // or nothing. Asked after a failure alone. May be empty.
  std::function<std::string(SvdNetwork network)> explain;
  bool moves_picture = false;       // vae_decode reads the picture, and its frames have the picture's size
  double scaling_factor = 0.18215;  // latents are divided by it before vae_decode; 1 for a TAESD decoder
};

struct SvdOptions {
  int64_t height = 576;
  int64_t width = 1024;
  // Of the frames, where a decoder moves a picture of another size than the network sees; 0: height and
  // width.
  int64_t frame_height = 0, frame_width = 0;
  int64_t num_frames = 14;
  int64_t num_inference_steps = 25;
  double fps = 7;                // the clip's; the network is told fps - 1
  std::optional<double> fps_id;  // what the network is told instead of fps - 1
  double motion_bucket_id = 127;
  double noise_aug_strength = 0.02;
  double min_guidance_scale = 1;
  double max_guidance_scale = 3;
  int64_t decode_chunk_size = 0;  // frames a decoder call, part of the result; 0 = all
  std::string sampler = "euler";
  bool shared_noise = false;      // one noise for all frames
  bool guidance_batching = true;  // false: two UNet calls of batch 1, for less memory

  int64_t FrameHeight() const { return frame_height > 0 ? frame_height : height; }
  int64_t FrameWidth() const { return frame_width > 0 ? frame_width : width; }
};

// A usage Error that names the option, what was found and what was expected.
void CheckSvdOptions(const SvdOptions& options);

struct SvdNoise {
  Tensor image;    // (1,H,W,3)
  Tensor latents;  // (1,T,h,w,C)
};

// Draws as diffusers does: the image's noise, then the latents', each in channels-first order. Where noise is
// shared, the first frame's is every frame's.
SvdNoise DrawSvdNoise(Rng& rng, const SvdOptions& options, int64_t latent_channels = 4,
                      int64_t vae_scale_factor = 8);

struct SvdConditioning {
  Tensor image_embeds;    // (1,1,D)
  Tensor image_latents;   // (1,h,w,C)
  Tensor added_time_ids;  // (1,3)
};

// clip_image: the picture before it was resized (the same view if it was not), (1,H',W',3), f32 or u8; image
// and image_noise: (1,H,W,3). f32 pictures are in [-1,1].
SvdConditioning EncodeSvd(const SvdComponents& components, const TensorView& clip_image,
                          const TensorView& image, const TensorView& image_noise, const SvdOptions& options,
                          const SampleHooks& hooks = {});

// latent_noise (1,T,h,w,C), standard normal -> the final latents, scaled, of the same shape.
Tensor DenoiseSvd(const SvdComponents& components, const SvdConditioning& conditioning,
                  const Schedule& schedule, const TensorView& latent_noise, const SvdOptions& options,
                  const SampleHooks& hooks = {});

// latents (1,T,h,w,C) -> frames (T,H,W,3) in [0,1]. `picture` (1,H,W,3), f32 in [-1,1], of any size: what a
// decoder moves (SvdComponents::moves_picture); others do not look at it. Error(kBadInput) where it is needed
// and empty.
Tensor DecodeSvd(const SvdComponents& components, const TensorView& latents, const SvdOptions& options,
                 const SampleHooks& hooks = {}, const TensorView& picture = {});

}  // namespace mvd
