#include "mvd/models/spatio_temporal_transformer.h"

#include <cmath>
#include <string>

#include "mvd/models/blocks.h"
#include "mvd/models/narrow_layers.h"

namespace mvd {
namespace {

constexpr double kNormEps = 1e-6;       // the GroupNorm in front
constexpr double kLayerNormEps = 1e-5;  // torch's default

// Softmax over one key is 1: attention to one token is its value, the same for every query.
ValueId SingleTokenAttention(Builder& b, ValueId x, ValueId context, const NarrowLayers& layers) {
  const int64_t channels = b.dims(x).c;
  return b.Add(x, layers.Linear(layers.Linear(context, "to_v", channels, false), "to_out.0", channels, true));
}

// x + attention(norm x, keys and values from `context`, or from norm x where that is kNoValue).
ValueId AttentionLayer(Builder& b, ValueId x, ValueId context, int64_t number, const TransformerOptions& o,
                       Axis axis) {
  const int64_t channels = b.dims(x).c, head = channels / o.heads;
  const NarrowLayers layers(b, o.compression);
  if (context != kNoValue && o.compression && o.compression->single_token_cross_attention) {
    Scope scope(b, "attn" + std::to_string(number));
    return SingleTokenAttention(b, x, context, layers);
  }
  const ValueId q_in = b.LayerNorm(x, "norm" + std::to_string(number), kLayerNormEps);
  const ValueId kv_in = context == kNoValue ? q_in : context;
  Scope scope(b, "attn" + std::to_string(number));
  const Funnel qk = layers.FunnelOf("qk", o.heads, head), vo = layers.FunnelOf("vo", o.heads, head);
  const ValueId q = layers.LinearBehind(qk, q_in, "to_q", "to_q", false);
  const ValueId k = layers.LinearBehind(qk, kv_in, "to_k", "to_k", false);
  const ValueId v = layers.LinearBehind(vo, kv_in, "to_v", "to_v", false);
  // The scale of the full head also behind a funnel, whose logits approximate the full ones.
  const double scale = 1 / std::sqrt(double(head));
  return b.Add(layers.LinearBefore(vo, b.Attention(q, k, v, o.heads, scale, axis), "to_out.0", channels), x);
}

// x + linear(geglu(linear(norm x))), four times as wide inside.
ValueId FeedForward(Builder& b, ValueId x, const std::string& norm, const std::string& name) {
  const int64_t channels = b.dims(x).c;
  const ValueId normed = b.LayerNorm(x, norm, kLayerNormEps);
  Scope scope(b, name);
  const ValueId inner = b.Geglu(b.Linear(normed, "net.0.proj", 8 * channels));
  return b.Add(b.Linear(inner, "net.2", channels), x);
}

ValueId SpatialLayer(Builder& b, ValueId x, ValueId frame_context, const TransformerOptions& o) {
  x = AttentionLayer(b, x, kNoValue, 1, o, Axis::kSpatial);
  x = AttentionLayer(b, x, frame_context, 2, o, Axis::kSpatial);
  return FeedForward(b, x, "norm3", "ff");
}

ValueId TemporalLayer(Builder& b, ValueId x, ValueId pixel_context, const TransformerOptions& o) {
  x = FeedForward(b, x, "norm_in", "ff_in");
  x = AttentionLayer(b, x, kNoValue, 1, o, Axis::kTemporal);
  x = AttentionLayer(b, x, pixel_context, 2, o, Axis::kTemporal);
  return FeedForward(b, x, "norm3", "ff");
}

// What a frame's number adds to it, (1,T,1,1,C).
ValueId FrameEmbedding(Builder& b, int64_t frames, int64_t channels, const TransformerOptions& o) {
  ValueId numbers = b.FrameIndices(frames);
  if (o.frame_scale != 1 || o.frame_shift != 0) numbers = b.Affine(numbers, o.frame_scale, o.frame_shift);
  const ValueId wave = b.Timestep(numbers, channels);
  Scope scope(b, "time_pos_embed");
  return EmbeddingMlp(b, wave, 4 * channels, channels);
}

}  // namespace

ValueId SpatioTemporalTransformer(Builder& b, ValueId x, ValueId context, ValueId frame_context,
                                  const TransformerOptions& options) {
  const Dims d = b.dims(x);
  ValueId pixel_context = kNoValue, frame_embedding = kNoValue;
  if (options.temporal) {
    pixel_context = b.Expand(context, {d.b, 1, d.h, d.w, b.dims(context).c});
    frame_embedding = FrameEmbedding(b, d.t, d.c, options);
  }
  ValueId h = b.Linear(b.GroupNorm(x, "norm", options.groups, kNormEps), "proj_in", d.c);
  for (int64_t layer = 0; layer < options.layers; ++layer) {
    {
      Scope scope(b, "transformer_blocks." + std::to_string(layer));
      h = SpatialLayer(b, h, frame_context, options);
    }
    if (!options.temporal) continue;
    ValueId mixed = b.Add(h, frame_embedding);
    {
      Scope scope(b, "temporal_transformer_blocks." + std::to_string(layer));
      mixed = TemporalLayer(b, mixed, pixel_context, options);
    }
    // One mix factor for all layers. The spatial branch is h without the frame's embedding.
    Scope scope(b, "time_mixer");
    h = b.Blend(h, mixed, "mix_factor", false, options.gate);
  }
  return b.Add(b.Linear(h, "proj_out", d.c), x);
}

}  // namespace mvd
