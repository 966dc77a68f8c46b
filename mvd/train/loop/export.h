// Trained weights as a model folder in diffusers' layout, which the engine and diffusers' loaders read.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "mvd/train/loop/networks.h"

namespace mvd {

using Metadata = std::map<std::string, std::string>;

// A safetensors file of these tensors, f32.
void WriteWeights(const std::filesystem::path& file, const TensorMap& weights, const Metadata& metadata);

// The whole pipeline: unet/, vae/ (of the autoencoder's class), image_encoder/, scheduler/,
// feature_extractor/, model_index.json. Where the run had no image encoder, a tiny one whose embeddings are
// zeros takes its place. The folder appears whole; one of that name is replaced.
void ExportPipeline(const Networks& networks, const Parameters& unet, const Parameters& image_encoder,
                    int64_t frames, const std::filesystem::path& folder, const Metadata& metadata);

// config.json and weights of one network: a component's own folder.
void ExportNetwork(const nlohmann::json& config, const Parameters& weights,
                   const std::filesystem::path& folder, const Metadata& metadata);

}  // namespace mvd
