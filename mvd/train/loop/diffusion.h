// The diffusion objective over one batch of clips: encode, draw noise, ask the UNet, compare.
#pragma once

#include <optional>
#include <vector>

#include "mvd/train/latent_cache.h"
#include "mvd/train/loop/draws.h"
#include "mvd/train/loop/networks.h"
#include "mvd/train/loop/recorded_step.h"
#include "mvd/train/loop/task.h"

namespace mvd {

// Clips of one size as the loss takes them: everything that does not depend on trained weights.
struct EncodedClips {
  at::Tensor latents;       // (B,T,h,w,C), scaled
  at::Tensor condition;     // (B,1,h,w,C), of the noised first frames, unscaled; zeros where dropped
  at::Tensor pixel_values;  // (B,1,S,S,3) for the image encoder; undefined without one
  at::Tensor noise;         // as latents
  at::Tensor ids;           // (B,1,1,1,3): fps id, motion bucket, sigma_condition
  std::vector<SampleDraws> draws;
};

// What all calls share; the task's callables own it.
struct DiffusionModel {
  DiffusionModel(const DiffusionConfig& config, at::Device device);

  DiffusionConfig config;
  Networks networks;
  GraphCache frozen, trained, guarded;  // guarded: names the first node whose value is not finite
  std::vector<EncodedClips> held_out;   // one clip each; filled by the first call that needs it
  std::optional<LatentCache> cache;     // of the clips' latents, where data.latent_cache names a folder
  RecordedStep recorded;                // where run.record asks for it
};

// "unet." and, where it is trained, "image_encoder.".
Parameters TrainedParameters(const Networks& networks, const DiffusionConfig& config);

EncodedClips EncodeClips(DiffusionModel& model, const std::vector<TrainingItem>& items, bool drop_conditions);
// The held-out clips of [data], each with its conditions, encoded when they are first asked for.
const std::vector<EncodedClips>& HeldOutEncoded(DiffusionModel& model);
TrainLoss DiffusionLossOf(DiffusionModel& model, const Parameters& weights, const EncodedClips& clips,
                          bool guard);
// The same, and fills the gradients of `weights`; the device's work is recorded once and replayed.
TrainLoss RecordedDiffusionLoss(DiffusionModel& model, const Parameters& weights, const EncodedClips& clips);
// The embedding (B,1,1,1,D) of pixel values, or zeros.
at::Tensor EmbedImages(DiffusionModel& model, const Parameters& weights, const at::Tensor& pixel_values,
                       int64_t batch, GraphCache& graphs);
// The same for clips; zeros where the image is dropped.
at::Tensor EmbedClips(DiffusionModel& model, const Parameters& weights, const EncodedClips& clips,
                      GraphCache& graphs);

DrawOptions DrawsOf(const DiffusionConfig& config);
double FpsId(const DiffusionConfig& config, const TrainingClip& clip);
double MotionBucket(const DiffusionConfig& config, const TrainingClip& clip);

TrainTask MakeDiffusionTask(const DiffusionConfig& config, at::Device device);

}  // namespace mvd
