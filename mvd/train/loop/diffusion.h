// The diffusion objective over one batch of clips: encode, draw noise, ask the UNet, compare.
#pragma once

#include <optional>
#include <vector>

#include "mvd/train/latent_cache.h"
#include "mvd/train/loop/draws.h"
#include "mvd/train/loop/networks.h"
#include "mvd/train/loop/task.h"

namespace mvd {

// A clip as the loss takes it; all that does not depend on trained weights.
struct EncodedClip {
  at::Tensor latents;       // (1,T,h,w,C), scaled
  at::Tensor condition;     // (1,1,h,w,C), of the noised first frame, unscaled; zeros where dropped
  at::Tensor pixel_values;  // (1,1,S,S,3) for the image encoder; undefined without one
  at::Tensor noise;         // as latents
  at::Tensor ids;           // (1,1,1,1,3): fps id, motion bucket, sigma_condition
  SampleDraws draws;
};

// What every call shares. Held by the task's callables.
struct DiffusionModel {
  DiffusionModel(const DiffusionConfig& config, at::Device device);

  DiffusionConfig config;
  Networks networks;
  GraphCache frozen, trained, guarded;  // guarded: the same graphs, which name nodes that are not finite
  std::vector<EncodedClip> held_out;    // filled by the first call that needs it
  std::optional<LatentCache> cache;     // of the clips' latents, where data.latent_cache names a folder
};

// "unet." and, where it is trained, "image_encoder.".
Parameters TrainedParameters(const Networks& networks, const DiffusionConfig& config);

EncodedClip EncodeClip(DiffusionModel& model, const TrainingItem& item, bool drop_conditions);
TrainLoss DiffusionLossOf(DiffusionModel& model, const Parameters& weights,
                          const std::vector<EncodedClip>& clips, bool guard);
// The embedding (B,1,1,1,D) of pixel values, or zeros.
at::Tensor EmbedImages(DiffusionModel& model, const Parameters& weights, const at::Tensor& pixel_values,
                       int64_t batch, GraphCache& graphs);

DrawOptions DrawsOf(const DiffusionConfig& config);
double FpsId(const DiffusionConfig& config, const TrainingClip& clip);
double MotionBucket(const DiffusionConfig& config, const TrainingClip& clip);

TrainTask MakeDiffusionTask(const DiffusionConfig& config, at::Device device);

}  // namespace mvd
