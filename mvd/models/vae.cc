#include "mvd/models/vae.h"

#include <cmath>

#include "mvd/base/check.h"
#include "mvd/ir/builder.h"
#include "mvd/models/blocks.h"

namespace mvd {
namespace {

constexpr double kEps = 1e-6;          // every norm but those of
constexpr double kTemporalEps = 1e-5;  // the decoder's temporal blocks
constexpr std::string_view kDownType = "DownEncoderBlock2D";

// x + one-headed attention over each picture, with biases and a GroupNorm in front.
ValueId MidAttention(Builder& b, ValueId x) {
  Scope scope(b, "attentions.0");
  const int64_t channels = b.dims(x).c;
  const ValueId normed = b.GroupNorm(x, "group_norm", kNormGroups, kEps);
  const ValueId q = b.Linear(normed, "to_q", channels);
  const ValueId k = b.Linear(normed, "to_k", channels);
  const ValueId v = b.Linear(normed, "to_v", channels);
  const double scale = 1 / std::sqrt(double(channels));
  return b.Add(b.Linear(b.Attention(q, k, v, 1, scale, Axis::kSpatial), "to_out.0", channels), x);
}

ValueId EncoderResnet(Builder& b, ValueId x, int64_t index, int64_t channels) {
  Scope scope(b, "resnets." + std::to_string(index));
  return ResBlock(b, x, channels, kNoValue, kEps);
}

ValueId DecoderResnet(Builder& b, ValueId x, int64_t index, int64_t channels) {
  Scope scope(b, "resnets." + std::to_string(index));
  return SpatioTemporalResBlock(b, x, channels, kNoValue,
                                {.eps = kEps, .temporal_eps = kTemporalEps, .switched_mix = true});
}

ValueId EncoderDown(Builder& b, const VaeConfig& config, ValueId x, size_t level) {
  Scope scope(b, "down_blocks." + std::to_string(level));
  const int64_t channels = config.block_out_channels[level];
  for (int64_t i = 0; i < config.layers_per_block; ++i) x = EncoderResnet(b, x, i, channels);
  if (level + 1 == config.block_out_channels.size()) return x;
  return b.Conv2d(x, "downsamplers.0.conv", channels, {.stride = 2, .pad_end_only = true});
}

ValueId EncoderMid(Builder& b, ValueId x) {
  Scope scope(b, "mid_block");
  const int64_t channels = b.dims(x).c;
  x = EncoderResnet(b, x, 0, channels);
  return EncoderResnet(b, MidAttention(b, x), 1, channels);
}

// The original has layers_per_block resnets here but one attention, and runs pairs of them after the first
// resnet: two resnets and the attention, or the first resnet alone.
ValueId DecoderMid(Builder& b, const VaeConfig& config, ValueId x) {
  Scope scope(b, "mid_block");
  const int64_t channels = b.dims(x).c;
  x = DecoderResnet(b, x, 0, channels);
  return config.layers_per_block == 1 ? x : DecoderResnet(b, MidAttention(b, x), 1, channels);
}

ValueId DecoderUp(Builder& b, const VaeConfig& config, ValueId x, size_t index) {
  Scope scope(b, "up_blocks." + std::to_string(index));
  const size_t level = config.block_out_channels.size() - 1 - index;
  for (int64_t i = 0; i <= config.layers_per_block; ++i) {
    x = DecoderResnet(b, x, i, config.block_out_channels[level]);
  }
  const Dims d = b.dims(x);
  return level == 0 ? x : Upsample(b, x, 2 * d.h, 2 * d.w);
}

}  // namespace

void CheckConfig(const ConfigChecker& check, const VaeConfig& config) {
  const size_t blocks = config.block_out_channels.size();
  check.Length("block_out_channels", blocks, 1, 8);
  check.Length("down_block_types", config.down_block_types.size(), blocks, blocks);
  for (const std::string& type : config.down_block_types) check.OneOf("down_block_types", type, {kDownType});
  check.Range("block_out_channels", config.block_out_channels, 1, 16384);
  for (int64_t channels : config.block_out_channels) {
    check.Multiple("block_out_channels", channels, kNormGroups, "groups of the norms");
  }
  check.Range("in_channels", config.in_channels, 1, 16384);
  check.Range("out_channels", config.out_channels, 1, 16384);
  check.Range("layers_per_block", config.layers_per_block, 1, 16);
  check.Range("latent_channels", config.latent_channels, 1, 1024);
  check.Range("sample_size", config.sample_size, 1, 65536);
  check.Real("scaling_factor", config.scaling_factor, 0, 1e6);
}

int64_t ScaleFactor(const VaeConfig& config) { return int64_t{1} << (config.block_out_channels.size() - 1); }

Graph BuildVaeEncoder(const VaeConfig& config, int64_t images, int64_t height, int64_t width) {
  MVD_CHECK_GE(height, ScaleFactor(config));
  MVD_CHECK_GE(width, ScaleFactor(config));
  Builder b("vae_encoder");
  ValueId x = b.Input("image", {images, 1, height, width, config.in_channels}, Phase::kStep);
  {
    Scope scope(b, "encoder");
    x = b.Conv2d(x, "conv_in", config.block_out_channels[0]);
    for (size_t i = 0; i < config.block_out_channels.size(); ++i) x = EncoderDown(b, config, x, i);
    x = NormSilu(b, EncoderMid(b, x), "conv_norm_out", kEps);
    x = b.Conv2d(x, "conv_out", 2 * config.latent_channels);
  }
  x = b.Conv2d(x, "quant_conv", 2 * config.latent_channels, {.kernel = 1});
  b.Output("latent", b.Slice(x, 4, 0, config.latent_channels));  // the rest are log variances
  return b.Finish();
}

Graph BuildVaeDecoder(const VaeConfig& config, int64_t batch, int64_t frames, int64_t height, int64_t width) {
  Builder b("vae_decoder");
  ValueId x = b.Input("latent", {batch, frames, height, width, config.latent_channels}, Phase::kStep);
  Scope scope(b, "decoder");
  x = b.Conv2d(x, "conv_in", config.block_out_channels.back());
  x = DecoderMid(b, config, x);
  for (size_t i = 0; i < config.block_out_channels.size(); ++i) x = DecoderUp(b, config, x, i);
  x = NormSilu(b, x, "conv_norm_out", kEps);
  x = b.Conv2d(x, "conv_out", config.out_channels);
  b.Output("image", b.ConvTemporal(x, "time_conv_out", config.out_channels));
  return b.Finish();
}

}  // namespace mvd
