// The denoising network of Stable Video Diffusion (arXiv 2311.15127), diffusers'
// UNetSpatioTemporalConditionModel: an image UNet with a temporal twin behind every block.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "mvd/ir/graph.h"
#include "mvd/models/blocks.h"
#include "mvd/models/config_json.h"
#include "mvd/models/unet_compression.h"

namespace mvd {

struct SvdUnetConfig {
  static constexpr std::string_view kClassKey = "_class_name";
  static constexpr std::string_view kClassName = "UNetSpatioTemporalConditionModel";

  IntOrList sample_size;  // latent pixels, advisory; may be null
  int64_t in_channels = 8;
  int64_t out_channels = 4;
  std::vector<std::string> down_block_types = {"CrossAttnDownBlockSpatioTemporal",
                                               "CrossAttnDownBlockSpatioTemporal",
                                               "CrossAttnDownBlockSpatioTemporal", "DownBlockSpatioTemporal"};
  std::vector<std::string> up_block_types = {"UpBlockSpatioTemporal", "CrossAttnUpBlockSpatioTemporal",
                                             "CrossAttnUpBlockSpatioTemporal",
                                             "CrossAttnUpBlockSpatioTemporal"};
  std::vector<int64_t> block_out_channels = {320, 640, 1280, 1280};
  int64_t addition_time_embed_dim = 256;
  int64_t projection_class_embeddings_input_dim = 768;
  IntOrList layers_per_block = {{2}};
  IntOrList cross_attention_dim = {{1024}};
  IntOrList transformer_layers_per_block = {{1}};
  IntOrList num_attention_heads = {{5, 10, 20, 20}};
  int64_t num_frames = 25;
  // Of every GroupNorm; diffusers' other UNets have this key, SVD's has always 32. A divisor of 32. With one
  // or two channels per group a norm takes away what the time embedding added: narrow networks need fewer
  // groups.
  int64_t norm_num_groups = kNormGroups;
  UnetCompression compression;
  UnetSampling sampling;

  template <class V>
  void Visit(V&& v) {
    v("sample_size", sample_size), v("in_channels", in_channels), v("out_channels", out_channels);
    v("down_block_types", down_block_types), v("up_block_types", up_block_types);
    v("block_out_channels", block_out_channels), v("addition_time_embed_dim", addition_time_embed_dim);
    v("projection_class_embeddings_input_dim", projection_class_embeddings_input_dim);
    v("layers_per_block", layers_per_block), v("cross_attention_dim", cross_attention_dim);
    v("transformer_layers_per_block", transformer_layers_per_block);
    v("num_attention_heads", num_attention_heads), v("num_frames", num_frames);
    v.Extra("norm_num_groups", norm_num_groups, kNormGroups);
    compression.Visit(v);
    v.Extra("sampling", sampling, UnetSampling{});
  }
  bool operator==(const SvdUnetConfig&) const = default;
};

void CheckConfig(const ConfigChecker& check, const SvdUnetConfig& config);

enum class EncoderTaps { kNone, kBlocks, kLayers };

struct SvdUnetOptions {
  // Adds an input "temporal_gates" (1,1,1,1,N), one number for each block of KeptTemporalBlocks() in that
  // order: 0 shuts the block's temporal branch, 1 leaves it open (arXiv 2412.07583, section 3.4: z of the
  // blend).
  bool temporal_gates = false;
  // Builds the encoder half alone, with outputs "down_blocks.0", ... in place of "sample": what each down
  // block passes to the next one, or its last layer's output before the downsampler. A discriminator on a
  // frozen UNet reads them (arXiv 2406.04324, section 3.3).
  EncoderTaps encoder_taps = EncoderTaps::kNone;
};

// One function evaluation. `height` and `width` are in latent pixels, from 1; `config` has passed
// CheckConfig. Inputs: "sample" (B,T,h,w,in_channels) and "timestep" (B,1,1,1,1) of phase step,
// "encoder_hidden_states" (B,1,1,1,D) and "added_time_ids" (B,1,1,1,3) of phase clip. Output: "sample"
// (B,T,h,w,out_channels).
Graph BuildSvdUnet(const SvdUnetConfig& config, int64_t batch, int64_t frames, int64_t height, int64_t width,
                   const SvdUnetOptions& options = {});

}  // namespace mvd
