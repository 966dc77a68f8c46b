// SVD's autoencoder, diffusers' AutoencoderKLTemporalDecoder: Stable Diffusion's image encoder, and a decoder
// with a temporal residual block after each spatial one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "mvd/ir/graph.h"
#include "mvd/models/config_json.h"

namespace mvd {

struct VaeConfig {
  static constexpr std::string_view kClassKey = "_class_name";
  static constexpr std::string_view kClassName = "AutoencoderKLTemporalDecoder";

  int64_t in_channels = 3;
  int64_t out_channels = 3;
  std::vector<std::string> down_block_types = {"DownEncoderBlock2D"};
  std::vector<int64_t> block_out_channels = {64};
  int64_t layers_per_block = 1;
  int64_t latent_channels = 4;
  int64_t sample_size = 32;  // pixels, advisory
  double scaling_factor = 0.18215;
  bool force_upcast = true;

  template <class V>
  void Visit(V&& v) {
    v("in_channels", in_channels), v("out_channels", out_channels), v("down_block_types", down_block_types);
    v("block_out_channels", block_out_channels), v("layers_per_block", layers_per_block);
    v("latent_channels", latent_channels), v("sample_size", sample_size);
    v("scaling_factor", scaling_factor), v("force_upcast", force_upcast);
  }
  bool operator==(const VaeConfig&) const = default;
};

void CheckConfig(const ConfigChecker& check, const VaeConfig& config);

// Pixels per latent pixel along each axis: 8 for SVD.
int64_t ScaleFactor(const VaeConfig& config);

// Input "image" (N,1,H,W,3) in [-1,1]: images are a batch and independent of each other. Output "latent"
// (N,1,H/8,W/8,4): the mode of the posterior, not scaled. H and W at least ScaleFactor.
Graph BuildVaeEncoder(const VaeConfig& config, int64_t images, int64_t height, int64_t width);

// Input "latent" (B,T,h,w,4), already divided by scaling_factor; output "image" (B,T,8h,8w,3), about [-1,1],
// not clamped. The temporal layers see these T frames, and zeros before and after. With layers_per_block 2,
// as in SVD, the graph uses all of the original's weights; otherwise the original's middle block has some
// that it never runs, and they are not in the graph.
Graph BuildVaeDecoder(const VaeConfig& config, int64_t batch, int64_t frames, int64_t height, int64_t width);

}  // namespace mvd
