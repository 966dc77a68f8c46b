// Trained weights as a model folder in diffusers' layout, which the engine and diffusers' loaders read.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "mvd/train/loop/networks.h"

namespace mvd {

using Metadata = std::map<std::string, std::string>;

// Writes these tensors to a safetensors file, as f32.
void WriteWeights(const std::filesystem::path& file, const TensorMap& weights, const Metadata& metadata);

// Writes the whole pipeline: unet/, vae/ (of the autoencoder's class), image_encoder/, scheduler/,
// feature_extractor/, model_index.json. Where the run had no image encoder, a tiny one is written whose
// embeddings are zero. The folder appears whole and replaces one of that name.
void ExportPipeline(const Networks& networks, const Parameters& unet, const Parameters& image_encoder,
                    int64_t frames, const std::filesystem::path& folder, const Metadata& metadata);

// Writes the folder of one network: config.json and weights.
void ExportNetwork(const nlohmann::json& config, const Parameters& weights,
                   const std::filesystem::path& folder, const Metadata& metadata);

}  // namespace mvd
