#include "mvd/models/blocks.h"

namespace mvd {
namespace {

// The temporal twin: 3x1x1 convolutions, norms over all frames together. Channels never change.
ValueId TemporalResBlock(Builder& b, ValueId x, ValueId silu_emb, double eps) {
  const int64_t channels = b.dims(x).c;
  ValueId h = b.ConvTemporal(NormSilu(b, x, "norm1", eps, Axis::kTemporal), "conv1", channels);
  if (silu_emb != kNoValue) h = b.Add(h, b.Linear(silu_emb, "time_emb_proj", channels));
  h = b.ConvTemporal(NormSilu(b, h, "norm2", eps, Axis::kTemporal), "conv2", channels);
  return b.Add(x, h);
}

}  // namespace

ValueId NormSilu(Builder& b, ValueId x, const char* name, double eps, Axis axis) {
  return b.Activation(b.GroupNorm(x, name, kNormGroups, eps, axis), Act::kSilu);
}

ValueId ResBlock(Builder& b, ValueId x, int64_t out_channels, ValueId silu_emb, double eps) {
  ValueId h = b.Conv2d(NormSilu(b, x, "norm1", eps), "conv1", out_channels);
  if (silu_emb != kNoValue) h = b.Add(h, b.Linear(silu_emb, "time_emb_proj", out_channels));
  h = b.Conv2d(NormSilu(b, h, "norm2", eps), "conv2", out_channels);
  const bool widens = b.dims(x).c != out_channels;
  return b.Add(widens ? b.Conv2d(x, "conv_shortcut", out_channels, {.kernel = 1}) : x, h);
}

ValueId SpatioTemporalResBlock(Builder& b, ValueId x, int64_t out_channels, ValueId silu_emb,
                               const SpatioTemporalOptions& options) {
  ValueId spatial = kNoValue, temporal = kNoValue;
  {
    Scope scope(b, "spatial_res_block");
    spatial = ResBlock(b, x, out_channels, silu_emb, options.eps);
  }
  {
    Scope scope(b, "temporal_res_block");
    temporal = TemporalResBlock(b, spatial, silu_emb, options.temporal_eps);
  }
  Scope scope(b, "time_mixer");
  return b.Blend(spatial, temporal, "mix_factor", options.switched_mix);
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
