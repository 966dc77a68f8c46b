// What Mobile Video Diffusion (arXiv 2412.07583) does to SVD's UNet, as fields of the UNet's own config.json,
// so that a folder records its own changes. If all fields have their initial values, the network is SVD's and
// none of the keys is written.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "mvd/models/config_json.h"

namespace mvd {

// Where spatial multiscaling restores the resolution. The paper's text says before the last up block; its
// FLOPs of the spatial-only row fit better if the upsampler's own convolution already runs at full size.
inline constexpr std::string_view kRestoreBeforeUpBlock = "before_up_block";
inline constexpr std::string_view kRestoreBeforeUpsampler = "before_upsampler_conv";
// How frames are numbered inside temporal multiscaling: 0, 1, 2, ... or the middles 0.5, 2.5, 4.5, ...
inline constexpr std::string_view kInnerFrames = "inner";
inline constexpr std::string_view kOuterFrames = "outer";

struct UnetCompression {
  // Max-pool by these factors after the first down block, repeat the nearest before the last up block.
  int64_t temporal_multiscale = 1;
  int64_t spatial_multiscale = 1;
  std::string multiscale_frame_index{kInnerFrames};
  std::string spatial_multiscale_restore{kRestoreBeforeUpBlock};
  // Cross-attention to the one token is only its value: no queries, no keys, no norm before them.
  bool single_token_cross_attention = false;
  // The remaining temporal blocks, by the names of TemporalBlocks(); null: all.
  std::optional<std::vector<std::string>> kept_temporal_blocks;
  // Channel funnels: name of a pair of layers (FunnelPairs()) -> channels between them, per head in
  // attention.
  std::map<std::string, int64_t> funnels;
  bool funnels_merged = false;  // multiplied into their layers, which are then narrow
  // Single layers that are factorised, "NAME.up" * "NAME.down": name of a linear layer -> rank.
  std::map<std::string, int64_t> low_rank;

  template <class V>
  void Visit(V&& v) {
    const UnetCompression none;
    v.Extra("temporal_multiscale", temporal_multiscale, none.temporal_multiscale);
    v.Extra("spatial_multiscale", spatial_multiscale, none.spatial_multiscale);
    v.Extra("multiscale_frame_index", multiscale_frame_index, none.multiscale_frame_index);
    v.Extra("spatial_multiscale_restore", spatial_multiscale_restore, none.spatial_multiscale_restore);
    v.Extra("single_token_cross_attention", single_token_cross_attention, none.single_token_cross_attention);
    v.Extra("kept_temporal_blocks", kept_temporal_blocks, none.kept_temporal_blocks);
    v.Extra("funnels", funnels, none.funnels);
    v.Extra("funnels_merged", funnels_merged, none.funnels_merged);
    v.Extra("low_rank", low_rank, none.low_rank);
  }
  bool operator==(const UnetCompression&) const = default;
};

// All frames of a clip begin with the same noise. The noise that a one-step network lets through then stands
// still instead of flickering (a shared part of the noise: arXiv 2305.10474, section 3.1).
inline constexpr std::string_view kSharedNoise = "shared";

// The sampling options that this UNet sets if the user does not; below 0: not set.
struct UnetSampling {
  int64_t steps = -1;
  double sigma_max = -1;
  std::vector<double> sigmas;  // noise levels, falling, of a run of as many steps; empty: the scheduler's own
  double min_guidance_scale = -1, max_guidance_scale = -1;
  int64_t fps = -1;
  int64_t motion_bucket_id = -1;
  int64_t height = -1, width = -1;  // pixels
  int64_t short_side = -1;          // of the frames by default, where the decoder moves a picture; pixels
  std::string decoder;              // full | tiny: which autoencoder makes the frames; empty: not set
  std::string frame_noise;          // independent | shared, for the frames of a clip; empty: not set

  template <class V>
  void Visit(V&& v) {
    v.Extra("steps", steps, int64_t{-1}), v.Extra("sigma_max", sigma_max, -1.0);
    v.Extra("sigmas", sigmas, std::vector<double>());
    v.Extra("min_guidance_scale", min_guidance_scale, -1.0);
    v.Extra("max_guidance_scale", max_guidance_scale, -1.0);
    v.Extra("fps", fps, int64_t{-1}), v.Extra("motion_bucket_id", motion_bucket_id, int64_t{-1});
    v.Extra("height", height, int64_t{-1}), v.Extra("width", width, int64_t{-1});
    v.Extra("short_side", short_side, int64_t{-1});
    v.Extra("decoder", decoder, std::string());
    v.Extra("frame_noise", frame_noise, std::string());
  }
  bool operator==(const UnetSampling&) const = default;
};

}  // namespace mvd
