#include "mvd/models/blocks.h"

#include "mvd/models/narrow_layers.h"

namespace mvd {
namespace {

// conv2(silu(norm2(conv1(silu(norm1 x)) + proj(emb)))): what both kinds of block add to x.
ValueId Branch(Builder& b, ValueId x, int64_t out_channels, ValueId silu_emb, double eps, Axis axis,
               const UnetCompression* compression, int64_t groups) {
  const NarrowLayers layers(b, compression);
  const Funnel funnel = layers.FunnelOf("conv", 1, out_channels);
  ValueId h = layers.ConvBehind(funnel, NormSilu(b, x, "norm1", eps, axis, groups), "conv1", axis);
  if (silu_emb != kNoValue)  // added in front of the funnel, so it passes through it too
    h = b.Add(h, layers.LinearBehind(funnel, silu_emb, "time_emb_proj", "conv1", true));
  return layers.ConvBefore(funnel, NormSilu(b, h, "norm2", eps, axis, groups), "conv2", out_channels, axis);
}

}  // namespace

ValueId NormSilu(Builder& b, ValueId x, const char* name, double eps, Axis axis, int64_t groups) {
  return b.Activation(b.GroupNorm(x, name, groups, eps, axis), Act::kSilu);
}

ValueId ResBlock(Builder& b, ValueId x, int64_t out_channels, ValueId silu_emb, double eps,
                 const UnetCompression* compression, int64_t groups) {
  const ValueId h = Branch(b, x, out_channels, silu_emb, eps, Axis::kSpatial, compression, groups);
  const bool widens = b.dims(x).c != out_channels;
  return b.Add(widens ? b.Conv2d(x, "conv_shortcut", out_channels, {.kernel = 1}) : x, h);
}

ValueId SpatioTemporalResBlock(Builder& b, ValueId x, int64_t out_channels, ValueId silu_emb,
                               const SpatioTemporalOptions& options) {
  ValueId spatial = kNoValue, temporal = kNoValue;
  {
    Scope scope(b, "spatial_res_block");
    spatial = ResBlock(b, x, out_channels, silu_emb, options.eps, options.compression, options.groups);
  }
  if (!options.temporal) return spatial;
  {
    // The temporal twin: 3x1x1 convolutions, norms over all frames together. Channels never change.
    Scope scope(b, "temporal_res_block");
    temporal = b.Add(spatial, Branch(b, spatial, out_channels, silu_emb, options.temporal_eps,
                                     Axis::kTemporal, options.compression, options.groups));
  }
  Scope scope(b, "time_mixer");
  return b.Blend(spatial, temporal, "mix_factor", options.switched_mix, options.gate);
}

ValueId Upsample(Builder& b, ValueId x, int64_t height, int64_t width) {
  const Dims d = b.dims(x);
  Scope scope(b, "upsamplers.0");
  return b.Conv2d(b.ResizeNearest(x, d.t, height, width), "conv", d.c);
}

ValueId EmbeddingMlp(Builder& b, ValueId x, int64_t hidden, int64_t out) {
  return b.Linear(b.Activation(b.Linear(x, "linear_1", hidden), Act::kSilu), "linear_2", out);
}

}  // namespace mvd
