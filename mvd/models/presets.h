// Models by name, for code that needs one without its files: cost tables, benchmarks, `init`, tests.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "mvd/models/clip_vision.h"
#include "mvd/models/svd_unet.h"
#include "mvd/models/taesd.h"
#include "mvd/models/vae.h"

namespace mvd {

// Every network of a pipeline. The noise schedule of all of them is sample/'s SvdSchedulerConfig.
struct ModelConfigs {
  SvdUnetConfig unet;
  VaeConfig vae;
  TaesdConfig taesd;
  ClipVisionConfig image_encoder;
  FeatureExtractorConfig feature_extractor;
};

// The options of a clip that the user does not set: diffusers' defaults for the model.
struct ClipDefaults {
  int64_t height = 576, width = 1024;  // pixels
  int64_t short_side = 512;  // of frames that a decoder makes of a picture, whatever the network's size is
  int64_t frames = 14;
  int64_t fps = 7;  // as the user gives it; the network gets fps - 1
  int64_t motion_bucket_id = 127;
  double noise_aug_strength = 0.02;
  int64_t num_inference_steps = 25;
  double min_guidance_scale = 1, max_guidance_scale = 3;
  int64_t decode_chunk_size = 14;
  std::string decoder = "auto";  // auto: the full one if the model has one
  std::string frame_noise = "independent";

  // Takes over what a UNet's config sets.
  void Apply(const UnetSampling& sampling);
};

struct Preset {
  std::string name;
  std::string description;  // one line
  ModelConfigs models;
  ClipDefaults defaults;
};

std::vector<std::string> PresetNames();
// Throws a usage Error that lists the names.
Preset FindPreset(std::string_view name);

}  // namespace mvd
