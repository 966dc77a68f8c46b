// The tiny autoencoder TAESD (github.com/madebyollin/taesd) as diffusers' AutoencoderTiny wraps it. Its
// latents are scaled: the UNet's output goes in as it is. Three keys go beyond the original, for autoencoders
// that are trained here: `patch_size`; upsample_fn "pixel_shuffle", in which a convolution produces the new
// pixels as channels (sub-pixel convolution, arXiv 1609.05158) instead of filtering repeated ones, which can
// tell a pixel from its neighbour only by their surroundings; and `shortcut`, which starts training near the
// pictures' principal components.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "mvd/ir/graph.h"
#include "mvd/models/config_json.h"

namespace mvd {

struct TaesdConfig {
  static constexpr std::string_view kClassKey = "_class_name";
  static constexpr std::string_view kClassName = "AutoencoderTiny";

  int64_t in_channels = 3;
  int64_t out_channels = 3;
  std::vector<int64_t> encoder_block_out_channels = {64, 64, 64, 64};
  std::vector<int64_t> decoder_block_out_channels = {64, 64, 64, 64};
  std::string act_fn = "relu";
  std::string upsample_fn = "nearest";
  int64_t latent_channels = 4;
  int64_t upsampling_scaling_factor = 2;
  std::vector<int64_t> num_encoder_blocks = {1, 3, 3, 3};
  std::vector<int64_t> num_decoder_blocks = {3, 3, 3, 1};
  double latent_magnitude = 3;  // for 8-bit storage of latents only, like latent_shift
  double latent_shift = 0.5;
  bool force_upcast = false;
  double scaling_factor = 1;  // for the caller: encode and decode apply neither it nor shift_factor
  double shift_factor = 0;
  int64_t patch_size =
      1;  // side, in pixels, of the patches that the first convolution reads and the last makes
  bool shortcut = false;  // a linear path beside the deep one, between a latent pixel and its patch
  // The last so many latent channels are motion (mvd/data/motion_latents.h): the encoder leaves them 0, the
  // decoder moves the first frame's picture by them and shows what the other channels say where they say "not
  // visible".
  int64_t motion_channels = 0;
  // Width of a small network that sharpens motion at a quarter of the latents' pixels by what the picture
  // shows, so that things move with their outlines; 0: none.
  int64_t motion_features = 0;
  // Whether the decoder paints what the picture does not show, from the other channels, or stretches the
  // picture over it.
  bool motion_paints = true;

  template <class V>
  void Visit(V&& v) {
    v("in_channels", in_channels), v("out_channels", out_channels);
    v("encoder_block_out_channels", encoder_block_out_channels);
    v("decoder_block_out_channels", decoder_block_out_channels);
    v("act_fn", act_fn), v("upsample_fn", upsample_fn), v("latent_channels", latent_channels);
    v("upsampling_scaling_factor", upsampling_scaling_factor);
    v("num_encoder_blocks", num_encoder_blocks), v("num_decoder_blocks", num_decoder_blocks);
    v("latent_magnitude", latent_magnitude), v("latent_shift", latent_shift);
    v("force_upcast", force_upcast), v("scaling_factor", scaling_factor), v("shift_factor", shift_factor);
    v.Extra("patch_size", patch_size, int64_t{1}), v.Extra("shortcut", shortcut, false);
    v.Extra("motion_channels", motion_channels, int64_t{0});
    v.Extra("motion_features", motion_features, int64_t{0}), v.Extra("motion_paints", motion_paints, true);
  }
  bool operator==(const TaesdConfig&) const = default;
};

void CheckConfig(const ConfigChecker& check, const TaesdConfig& config);

// Pixels per latent pixel along each axis, patches included: 8.
int64_t ScaleFactor(const TaesdConfig& config);

// Input "image" (N,1,H,W,3) in [-1,1], any size from 1; output "latent" (N,1,h,w,4), h = H/8 rounded up.
Graph BuildTaesdEncoder(const TaesdConfig& config, int64_t images, int64_t height, int64_t width);

// The size of the picture that a decoder with motion moves; 0: the latents' own.
struct PictureSize {
  int64_t height = 0, width = 0;
};

// Input "latent" (B,T,h,w,4); output "image" (B,T,8h,8w,3), about [-1,1], not clamped. Frames are
// independent; the shape is that of BuildVaeDecoder so that either can be used. With motion there are two
// more inputs: "picture" (B,1,H,W,3), the first frame in [-1,1] at any size, which is the output's too, and
// "travel" (B,T,1,1,1): MotionTravel of each frame; with motion_features a third, "seen" (B,1,16h,16w,3): the
// picture at the latents' own size.
Graph BuildTaesdDecoder(const TaesdConfig& config, int64_t batch, int64_t frames, int64_t height,
                        int64_t width, PictureSize picture = {});

}  // namespace mvd
