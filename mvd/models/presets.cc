#include "mvd/models/presets.h"

#include "mvd/base/error.h"
#include "mvd/models/mobile_presets.h"

namespace mvd {
namespace {

// Stability AI's two released models share every network's sizes and differ in the frames they were trained
// on; their config.json files on huggingface.co are the source.
ModelConfigs SvdModels(int64_t frames) {
  ModelConfigs models;
  models.unet.sample_size = {{96}};
  models.unet.num_frames = frames;
  models.vae.block_out_channels = {128, 256, 512, 512};
  models.vae.down_block_types.assign(4, "DownEncoderBlock2D");
  models.vae.layers_per_block = 2;
  models.vae.sample_size = 768;
  models.image_encoder.hidden_size = 1280;  // OpenCLIP's ViT-H/14
  models.image_encoder.intermediate_size = 5120;
  models.image_encoder.projection_dim = 1024;
  models.image_encoder.num_hidden_layers = 32;
  models.image_encoder.num_attention_heads = 16;
  models.image_encoder.patch_size = 14;
  models.image_encoder.hidden_act = "gelu";
  return models;
}

Preset Svd() {
  return {.name = "svd",
          .description = "Stable Video Diffusion, 14 frames, 1.5 G parameters",
          .models = SvdModels(14),
          .defaults = {}};
}

Preset SvdXt() {
  return {.name = "svd-xt",
          .description = "Stable Video Diffusion XT, 25 frames, 1.5 G parameters",
          .models = SvdModels(25),
          .defaults = {.frames = 25, .decode_chunk_size = 25}};
}

// All kinds of blocks in little. Two channels and more a group: with one, a norm cancels biases and the time
// embedding, and a test would not see them.
Preset SvdTiny() {
  Preset preset{
      .name = "svd-tiny",
      .description = "every kind of block of SVD in 64 to 128 channels, for tests and demos",
      .models = {},
      .defaults = {.height = 64, .width = 96, .frames = 4, .num_inference_steps = 4, .decode_chunk_size = 4}};
  SvdUnetConfig& unet = preset.models.unet;
  unet.sample_size = {{8}};
  unet.down_block_types = {"CrossAttnDownBlockSpatioTemporal", "DownBlockSpatioTemporal"};
  unet.up_block_types = {"UpBlockSpatioTemporal", "CrossAttnUpBlockSpatioTemporal"};
  unet.block_out_channels = {64, 128};
  unet.addition_time_embed_dim = 32;
  unet.projection_class_embeddings_input_dim = 96;
  unet.layers_per_block = {{1}};
  unet.cross_attention_dim = {{64}};
  unet.num_attention_heads = {{2, 4}};
  unet.num_frames = 4;
  VaeConfig& vae = preset.models.vae;
  vae.block_out_channels = {64, 64, 64, 64};
  vae.down_block_types.assign(4, "DownEncoderBlock2D");
  vae.layers_per_block = 2;
  vae.sample_size = 64;
  ClipVisionConfig& clip = preset.models.image_encoder;
  clip.hidden_size = 64;
  clip.intermediate_size = 128;
  clip.projection_dim = 64;
  clip.num_hidden_layers = 2;
  clip.num_attention_heads = 4;
  clip.hidden_act = "gelu";
  return preset;
}

Preset Mobile(const MobileVariant& variant) {
  Preset preset{.name = std::string(variant.name),
                .description = std::string(variant.description),
                .models = SvdModels(14),
                .defaults = {}};
  variant.change(preset.models.unet);
  ApplySampling(variant, preset.models.unet.sampling);
  preset.defaults.Apply(preset.models.unet.sampling);
  return preset;
}

using MakePreset = Preset (*)();
constexpr struct {
  std::string_view name;
  MakePreset make;
} kPresets[] = {{"svd", Svd}, {"svd-xt", SvdXt}, {"svd-tiny", SvdTiny}};

}  // namespace

void ClipDefaults::Apply(const UnetSampling& s) {
  const auto take = [](auto& value, auto said) {
    if (said >= 0) value = said;
  };
  take(num_inference_steps, s.steps), take(short_side, s.short_side), take(fps, s.fps),
      take(motion_bucket_id, s.motion_bucket_id);
  take(min_guidance_scale, s.min_guidance_scale), take(max_guidance_scale, s.max_guidance_scale);
  take(height, s.height), take(width, s.width);
  if (!s.decoder.empty()) decoder = s.decoder;
  if (!s.frame_noise.empty()) frame_noise = s.frame_noise;
}

std::vector<std::string> PresetNames() {
  std::vector<std::string> names;
  for (const auto& preset : kPresets) names.emplace_back(preset.name);
  for (const MobileVariant& variant : MobileVariants()) names.emplace_back(variant.name);
  return names;
}

Preset FindPreset(std::string_view name) {
  for (const auto& preset : kPresets) {
    if (preset.name == name) return preset.make();
  }
  for (const MobileVariant& variant : MobileVariants()) {
    if (variant.name == name) return Mobile(variant);
  }
  std::string known;
  for (const std::string& each : PresetNames()) known += (known.empty() ? "" : ", ") + each;
  ThrowUsage("no preset is named '", name, "'; there are ", known);
}

}  // namespace mvd
