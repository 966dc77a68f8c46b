// The networks round the one in training: where they come from, and how they are called.
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <memory>
#include <string>
#include <tuple>

#include "mvd/engine/model.h"
#include "mvd/models/presets.h"
#include "mvd/torch/torch_graph.h"
#include "mvd/train/run_config.h"

namespace mvd {

// Frozen autoencoder: TAESD-shaped or SVD's. The encoder's latents are conditions as they are; a clip's own
// latents are multiplied by `scaling`.
struct Autoencoder {
  bool tiny = true;
  TaesdConfig taesd;
  VaeConfig vae;
  Parameters encoder, decoder;  // without gradients
  double scaling = 1;

  int64_t factor() const { return tiny ? ScaleFactor(taesd) : ScaleFactor(vae); }
  int64_t channels() const { return tiny ? taesd.latent_channels : vae.latent_channels; }
};

// Everything that [model] names, loaded.
struct Networks {
  ModelConfigs configs;
  ClipPreprocessing preprocessing;
  Autoencoder autoencoder;
  Parameters unet;
  Parameters image_encoder;  // empty where embeddings are zeros
  at::Device device = at::kCPU;
};

Networks LoadNetworks(const DiffusionConfig& config, at::Device device);

// A model from [model]'s folder or its preset, `unet` and `taesd` laid over.
Model OpenModel(const ModelSection& section, const Threads& threads);
at::Device DeviceOf(const std::string& name, int local_rank);

// Graphs by what they are built for; building and planning takes milliseconds, but not in every step.
class GraphCache {
 public:
  explicit GraphCache(const TorchGraphOptions& options) : options_(options) {}
  const TorchGraphOptions& options() const { return options_; }
  using Key =
      std::tuple<std::string, int64_t, int64_t, int64_t, int64_t>;  // name, batch, frames, height, width
  template <class Build>
  const TorchGraph& Get(const Key& key, const Build& build) {
    auto& slot = graphs_[key];
    if (!slot) slot = std::make_unique<TorchGraph>(build(), options_);
    return *slot;
  }

 private:
  TorchGraphOptions options_;
  std::map<Key, std::unique_ptr<TorchGraph>> graphs_;
};

// (N,1,H,W,3) in [-1,1] -> (N,1,h,w,C), unscaled; no gradient.
at::Tensor EncodeImages(const Autoencoder& autoencoder, const at::Tensor& images, GraphCache& graphs);
// Scaled latents (1,T,h,w,C) -> (1,T,H,W,3), about [-1,1]; no gradient.
at::Tensor DecodeLatents(const Autoencoder& autoencoder, const at::Tensor& latents, GraphCache& graphs);

}  // namespace mvd
