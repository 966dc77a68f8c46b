// The networks that [model] names, as configs: enough to plan a run, and no weight is read.
#pragma once

#include <algorithm>
#include <string>

#include "mvd/models/config_json.h"
#include "mvd/models/presets.h"
#include "mvd/models/video_features.h"
#include "mvd/train/run_config.h"

namespace mvd {

// `json` (an object as text; empty: nothing) laid over a config, checked. `key` names the option in errors:
// Error(kBadInput) for a key that the config has not, or a value that it cannot have.
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

// Error(kUsage) where [model] asks for what excludes each other.
void CheckModelSection(const ModelSection& section);

struct RunModels {
  ModelConfigs configs;
  bool tiny_autoencoder = false;  // latents by TAESD, not by SVD's encoder
  std::string origin;             // for people: "preset svd", or the folder
};

// Configs of the model folder, or of the preset with `unet` and `taesd` laid over. A folder of [model] that
// does not exist is Error(kNotFound), except `autoencoder`: another run may be about to make it, and until
// then the tiny autoencoder of the configs stands for it.
RunModels ResolveModels(const ModelSection& section);

// The network that `train features` trains. Error(kBadInput) for sizes that it cannot have.
VideoFeaturesConfig VideoFeaturesOf(const FeaturesConfig& config);

}  // namespace mvd
