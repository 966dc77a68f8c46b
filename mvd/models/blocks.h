// Blocks that SVD's UNet and autoencoder share. Each is called inside the scope of its weights.
#pragma once

#include <cstdint>

#include "mvd/ir/builder.h"
#include "mvd/models/unet_compression.h"

namespace mvd {

inline constexpr int64_t kNormGroups = 32;  // of every GroupNorm in SVD

// diffusers' ResnetBlock2D: x + conv(silu(norm(conv(silu(norm x)) + proj(emb)))), with a 1x1 convolution on x
// if the channels change. `silu_emb` (B,1,1,1,C) is the time embedding after its SiLU, the same for all
// blocks; kNoValue: none. `compression` may narrow the channels between the two convolutions, as the pair
// "conv".
ValueId ResBlock(Builder& b, ValueId x, int64_t out_channels, ValueId silu_emb, double eps,
                 const UnetCompression* compression = nullptr, int64_t groups = kNormGroups);

struct SpatioTemporalOptions {
  double eps = 1e-6;           // of the spatial block's norms
  double temporal_eps = 1e-6;  // of the temporal block's norms
  bool switched_mix = false;   // as in the autoencoder: sigmoid(mix_factor) weighs the temporal branch
  bool temporal = true;        // false: the spatial block alone
  ValueId gate = kNoValue;     // of the temporal branch, one number
  const UnetCompression* compression = nullptr;
  int64_t groups = kNormGroups;
};

// diffusers' SpatioTemporalResBlock: a spatial block, a temporal one on top of it, and their learned blend.
ValueId SpatioTemporalResBlock(Builder& b, ValueId x, int64_t out_channels, ValueId silu_emb,
                               const SpatioTemporalOptions& options);

// Nearest neighbour to (height, width), then "upsamplers.0.conv", 3x3.
ValueId Upsample(Builder& b, ValueId x, int64_t height, int64_t width);

// "linear_1", SiLU, "linear_2": diffusers' TimestepEmbedding.
ValueId EmbeddingMlp(Builder& b, ValueId x, int64_t hidden, int64_t out);

// norm, SiLU
ValueId NormSilu(Builder& b, ValueId x, const char* name, double eps, Axis axis = Axis::kSpatial,
                 int64_t groups = kNormGroups);

}  // namespace mvd
