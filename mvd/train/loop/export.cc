#include "mvd/train/loop/export.h"

#include <ATen/ATen.h>

#include "mvd/base/atomic_file.h"
#include "mvd/base/paths.h"
#include "mvd/engine/random_weights.h"
#include "mvd/io/json.h"
#include "mvd/io/safetensors.h"
#include "mvd/train/loop/tensors.h"

namespace mvd {
namespace fs = std::filesystem;
namespace {

constexpr char kDiffusersFile[] = "diffusion_pytorch_model.safetensors";
constexpr char kTransformersFile[] = "model.safetensors";

// A folder made under a temporary name; on success it takes the place of `target`.
template <class Fill>
void WriteFolder(const fs::path& target, const Fill& fill) {
  AtomicFolder pending(target, Replace::kYes);
  fill(pending.temporary());
  pending.Commit();
}

// One layer of the smallest size whose projection is zero, so every embedding is.
ClipVisionConfig NoImageEncoder(int64_t width) {
  ClipVisionConfig config;
  config.hidden_size = 8, config.intermediate_size = 8, config.projection_dim = width;
  config.num_hidden_layers = 1, config.num_attention_heads = 1;
  config.image_size = 32, config.patch_size = 32;
  return config;
}

Parameters NoImageEncoderWeights(const ClipVisionConfig& config) {
  const Graph graph = BuildClipVision(config, 1);
  RandomWeights random(graph, 0, DType::kF32, {1});
  Parameters weights = LoadParameters(graph, random);
  for (auto& [name, tensor] : weights) {
    tensor = tensor.detach();
    if (name == "visual_projection.weight") tensor.zero_();
  }
  return weights;
}

// WriteConfigs lists the tiny autoencoder as a component of its own; here it stands in for the full one.
void NameAutoencoder(const Autoencoder& a, const fs::path& folder) {
  RemoveAll(folder / "taesd");
  nlohmann::json index = ReadJsonFile(folder / "model_index.json");
  index.erase("taesd");
  if (a.tiny) {
    index["vae"] = {"diffusers", TaesdConfig::kClassName};
    WriteFile(folder / "vae" / "config.json", WriteConfig(a.taesd).dump(2) + "\n");
  }
  WriteFile(folder / "model_index.json", index.dump(2) + "\n");
}

}  // namespace

void WriteWeights(const fs::path& file, const TensorMap& weights, const Metadata& metadata) {
  const TensorMap host = OnHost(weights);
  WriteSafetensors(file, ViewsOf(host), metadata);
}

void ExportPipeline(const Networks& n, const Parameters& unet, const Parameters& image_encoder,
                    int64_t frames, const fs::path& folder, const Metadata& metadata) {
  Preset preset{.name = "trained", .description = "", .models = n.configs, .defaults = {}};
  preset.models.unet.num_frames = frames;
  Parameters embedder = image_encoder;
  if (embedder.empty()) {
    preset.models.image_encoder = NoImageEncoder(n.configs.unet.cross_attention_dim[0]);
    embedder = NoImageEncoderWeights(preset.models.image_encoder);
  }
  WriteFolder(folder, [&](const fs::path& to) {
    WriteConfigs(preset, to);
    NameAutoencoder(n.autoencoder, to);
    WriteWeights(to / "unet" / kDiffusersFile, unet, metadata);
    TensorMap vae = n.autoencoder.encoder;
    vae.insert(n.autoencoder.decoder.begin(), n.autoencoder.decoder.end());
    WriteWeights(to / "vae" / kDiffusersFile, vae, {{"format", "pt"}});
    WriteWeights(to / "image_encoder" / kTransformersFile, embedder, metadata);
  });
}

void ExportNetwork(const nlohmann::json& config, const Parameters& weights, const fs::path& folder,
                   const Metadata& metadata) {
  WriteFolder(folder, [&](const fs::path& to) {
    WriteFile(to / "config.json", config.dump(2) + "\n");
    WriteWeights(to / kDiffusersFile, weights, metadata);
  });
}

}  // namespace mvd
