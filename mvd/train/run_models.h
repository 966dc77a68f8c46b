// The configs of the networks that [model] names: enough to plan a run. No weights are read.
#pragma once

#include <algorithm>
#include <string>

#include "mvd/models/config_json.h"
#include "mvd/models/presets.h"
#include "mvd/models/video_features.h"
#include "mvd/train/run_config.h"

namespace mvd {

// `config` with the keys of `json` (the text of an object, or empty) replaced. Error(kBadInput), naming the
// option `key`, for a key that the config does not have or a value that it cannot have.
template <class Config>
Config OverlaidConfig(const Config& config, const std::string& json, const std::string& key) {
  if (json.empty()) return config;
  nlohmann::json merged = WriteConfig(config);
  ConfigKeys known;
  Config(config).Visit(known);
  const nlohmann::json over = nlohmann::json::parse(json, nullptr, /*allow_exceptions=*/false);
  if (!over.is_object()) ThrowBadInput(key, "is no JSON object");
  for (const auto& [name, value] : over.items()) {
    if (std::find(known.names.begin(), known.names.end(), name) == known.names.end())
      ThrowBadInput(key, "key '", name, "' is unknown to ", Config::kClassName);
    merged[name] = value;
  }
  return ReadConfig<Config>(merged, key);
}

// Error(kUsage) where options of [model] exclude each other.
void CheckModelSection(const ModelSection& section);

struct RunModels {
  ModelConfigs configs;
  bool tiny_autoencoder = false;  // latents come from TAESD, not from SVD's encoder
  std::string origin;             // as shown to people: "preset svd", or the folder
};

// Configs of the model folder, or of the preset with the keys of `unet` and `taesd` replaced. A folder of
// [model] that does not exist is Error(kNotFound), except `autoencoder`, which another run may still have to
// make: until then the tiny autoencoder of the configs stands in for it.
RunModels ResolveModels(const ModelSection& section);

// Frames that an autoencoder which is not trained encodes or decodes in one call: all 14 of 512x256, 3 of
// 1024x576. More would need many gigabytes for activations and would hardly be faster.
int64_t FramesAtOnce(int64_t height, int64_t width);

// The network that `train features` trains. Error(kBadInput) for sizes that it cannot have.
VideoFeaturesConfig VideoFeaturesOf(const FeaturesConfig& config);

}  // namespace mvd
