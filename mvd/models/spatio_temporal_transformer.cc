#include "mvd/models/spatio_temporal_transformer.h"

#include <cmath>
#include <string>

#include "mvd/models/blocks.h"

namespace mvd {
namespace {

constexpr double kNormEps = 1e-6;       // the GroupNorm in front
constexpr double kLayerNormEps = 1e-5;  // torch's default

// x + attention(norm x, keys and values from `context`, or from norm x where that is kNoValue).
ValueId AttentionLayer(Builder& b, ValueId x, ValueId context, int64_t number, int64_t heads, Axis axis) {
  const int64_t channels = b.dims(x).c;
  const ValueId q_in = b.LayerNorm(x, "norm" + std::to_string(number), kLayerNormEps);
  const ValueId kv_in = context == kNoValue ? q_in : context;
  Scope scope(b, "attn" + std::to_string(number));
  const ValueId q = b.Linear(q_in, "to_q", channels, false);
  const ValueId k = b.Linear(kv_in, "to_k", channels, false);
  const ValueId v = b.Linear(kv_in, "to_v", channels, false);
  const double scale = 1 / std::sqrt(double(channels / heads));
  return b.Add(b.Linear(b.Attention(q, k, v, heads, scale, axis), "to_out.0", channels), x);
}

// x + linear(geglu(linear(norm x))), four times as wide inside.
ValueId FeedForward(Builder& b, ValueId x, const std::string& norm, const std::string& name) {
  const int64_t channels = b.dims(x).c;
  const ValueId normed = b.LayerNorm(x, norm, kLayerNormEps);
  Scope scope(b, name);
  const ValueId inner = b.Geglu(b.Linear(normed, "net.0.proj", 8 * channels));
  return b.Add(b.Linear(inner, "net.2", channels), x);
}

ValueId SpatialLayer(Builder& b, ValueId x, ValueId frame_context, int64_t heads) {
  x = AttentionLayer(b, x, kNoValue, 1, heads, Axis::kSpatial);
  x = AttentionLayer(b, x, frame_context, 2, heads, Axis::kSpatial);
  return FeedForward(b, x, "norm3", "ff");
}

ValueId TemporalLayer(Builder& b, ValueId x, ValueId pixel_context, int64_t heads) {
  x = FeedForward(b, x, "norm_in", "ff_in");
  x = AttentionLayer(b, x, kNoValue, 1, heads, Axis::kTemporal);
  x = AttentionLayer(b, x, pixel_context, 2, heads, Axis::kTemporal);
  return FeedForward(b, x, "norm3", "ff");
}

// What a frame's number adds to it, (1,T,1,1,C).
ValueId FrameEmbedding(Builder& b, int64_t frames, int64_t channels) {
  const ValueId wave = b.Timestep(b.FrameIndices(frames), channels);
  Scope scope(b, "time_pos_embed");
  return EmbeddingMlp(b, wave, 4 * channels, channels);
}

}  // namespace

ValueId SpatioTemporalTransformer(Builder& b, ValueId x, ValueId context, ValueId frame_context,
                                  const TransformerOptions& options) {
  const Dims d = b.dims(x);
  const ValueId pixel_context = b.Expand(context, {d.b, 1, d.h, d.w, b.dims(context).c});
  const ValueId frame_embedding = FrameEmbedding(b, d.t, d.c);
  ValueId h = b.Linear(b.GroupNorm(x, "norm", kNormGroups, kNormEps), "proj_in", d.c);
  for (int64_t layer = 0; layer < options.layers; ++layer) {
    {
      Scope scope(b, "transformer_blocks." + std::to_string(layer));
      h = SpatialLayer(b, h, frame_context, options.heads);
    }
    ValueId mixed = b.Add(h, frame_embedding);
    {
      Scope scope(b, "temporal_transformer_blocks." + std::to_string(layer));
      mixed = TemporalLayer(b, mixed, pixel_context, options.heads);
    }
    // One mix factor for all layers. The spatial branch is h without the frame's embedding.
    Scope scope(b, "time_mixer");
    h = b.Blend(h, mixed, "mix_factor", false);
  }
  return b.Add(b.Linear(h, "proj_out", d.c), x);
}

}  // namespace mvd
