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
  int64_t motion_channels() const { return tiny ? taesd.motion_channels : 0; }
};

// All networks of [model], loaded.
struct Networks {
  ModelConfigs configs;
  ClipPreprocessing preprocessing;
  Autoencoder autoencoder;
  Parameters unet;
  Parameters image_encoder;  // empty where embeddings are zeros
  at::Device device = at::kCPU;
};

Networks LoadNetworks(const DiffusionConfig& config, at::Device device);

// The model of [model]'s folder, or its preset with the keys of `unet` and `taesd` replaced.
Model OpenModel(const ModelSection& section, const Threads& threads);
at::Device DeviceOf(const std::string& name, int local_rank);

// Whether a graph is run in the recomputed segments that the run asks for. Never where a gradient is
// differentiated again: the backward pass of a recomputed segment has no graph of its own.
enum class Recompute { kAsConfigured, kNever };

// Keeps graphs by what they were built for: building and planning one takes milliseconds, too many for every
// step.
class GraphCache {
 public:
  explicit GraphCache(const TorchGraphOptions& options) : options_(options) {}
  const TorchGraphOptions& options() const { return options_; }
  using Key =
      std::tuple<std::string, int64_t, int64_t, int64_t, int64_t>;  // name, batch, frames, height, width
  template <class Build>
  const TorchGraph& Get(const Key& key, const Build& build, Recompute recompute = Recompute::kAsConfigured) {
    auto& slot = graphs_[key];
    if (!slot) {
      TorchGraphOptions options = options_;
      if (recompute == Recompute::kNever) options.recompute_segments = 0;
      slot = std::make_unique<TorchGraph>(build(), options);
    }
    return *slot;
  }

 private:
  TorchGraphOptions options_;
  std::map<Key, std::unique_ptr<TorchGraph>> graphs_;
};

// (N,1,H,W,3) in [-1,1] -> (N,1,h,w,C), unscaled; no gradient. Encodes `at_once` images in one call, which
// bounds the memory of activations (FramesAtOnce).
at::Tensor EncodeImages(const Autoencoder& autoencoder, const at::Tensor& images, int64_t at_once,
                        GraphCache& graphs);
// Scaled latents (1,T,h,w,C) -> (1,T,H,W,3), about [-1,1]; no gradient. A decoder that moves a picture is
// given `picture` (1,1,H,W,3) and `travel` (1,T,1,1,1).
at::Tensor DecodeLatents(const Autoencoder& autoencoder, const at::Tensor& latents, GraphCache& graphs,
                         const at::Tensor& picture = {}, const at::Tensor& travel = {});

}  // namespace mvd
