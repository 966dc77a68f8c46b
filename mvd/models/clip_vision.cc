#include "mvd/models/clip_vision.h"

#include <cmath>

#include "mvd/ir/builder.h"

namespace mvd {
namespace {

ValueId SelfAttention(Builder& b, ValueId x, int64_t heads) {
  Scope scope(b, "self_attn");
  const int64_t width = b.dims(x).c;
  const ValueId q = b.Linear(x, "q_proj", width);
  const ValueId k = b.Linear(x, "k_proj", width);
  const ValueId v = b.Linear(x, "v_proj", width);
  const double scale = 1 / std::sqrt(double(width / heads));
  return b.Linear(b.Attention(q, k, v, heads, scale, Axis::kSpatial), "out_proj", width);
}

ValueId EncoderLayer(Builder& b, const ClipVisionConfig& config, ValueId x) {
  const double eps = config.layer_norm_eps;
  x = b.Add(x, SelfAttention(b, b.LayerNorm(x, "layer_norm1", eps), config.num_attention_heads));
  ValueId h = b.LayerNorm(x, "layer_norm2", eps);
  Scope scope(b, "mlp");
  h = b.Activation(b.Linear(h, "fc1", config.intermediate_size),
                   config.hidden_act == "gelu" ? Act::kGelu : Act::kQuickGelu);
  return b.Add(x, b.Linear(h, "fc2", config.hidden_size));
}

// The class token and the patches in reading order, with their positions: (N,1,1,1+n,C).
ValueId Embeddings(Builder& b, const ClipVisionConfig& config, ValueId pixels) {
  Scope scope(b, "embeddings");
  const int64_t width = config.hidden_size;
  const Builder::Conv patches{
      .kernel = config.patch_size, .stride = config.patch_size, .bias = false, .padding = 0};
  ValueId x = b.Conv2d(pixels, "patch_embedding", width, patches);
  const Dims d = b.dims(x);
  x = b.Reshape(x, {d.b, 1, 1, d.h * d.w, width});
  const ValueId token = b.Expand(b.Weight("class_embedding", {width}), {d.b, 1, 1, 1, width});
  const ValueId positions = b.Weight("position_embedding.weight", {1 + d.h * d.w, width});
  return b.Add(b.Concat({token, x}, 3), positions);
}

}  // namespace

void CheckConfig(const ConfigChecker& check, const ClipVisionConfig& config) {
  check.Range("hidden_size", config.hidden_size, 1, 16384);
  check.Range("intermediate_size", config.intermediate_size, 1, 65536);
  check.Range("projection_dim", config.projection_dim, 1, 65536);
  check.Range("num_hidden_layers", config.num_hidden_layers, 1, 128);
  check.Range("num_attention_heads", config.num_attention_heads, 1, 1024);
  check.Multiple("hidden_size", config.hidden_size, config.num_attention_heads, "num_attention_heads");
  check.Range("num_channels", config.num_channels, 1, 1024);
  check.Range("image_size", config.image_size, 1, 4096);
  check.Range("patch_size", config.patch_size, 1, config.image_size);
  check.OneOf("hidden_act", config.hidden_act, {"gelu", "quick_gelu"});
  check.Real("layer_norm_eps", config.layer_norm_eps, 0, 1);
}

void CheckConfig(const ConfigChecker& check, const FeatureExtractorConfig& config) {
  check.OneOf("image_processor_type", config.image_processor_type,
              {"CLIPImageProcessor", "CLIPImageProcessorFast", "CLIPImageProcessorPil"});
  check.Length("image_mean", config.image_mean.size(), 3, 3);
  check.Length("image_std", config.image_std.size(), 3, 3);
  for (double mean : config.image_mean) check.Real("image_mean", mean, -1e6, 1e6);
  for (double std : config.image_std) check.Real("image_std", std, 0, 1e6);
}

Graph BuildClipVision(const ClipVisionConfig& config, int64_t images) {
  Builder b("image_encoder");
  const ValueId pixels = b.Input(
      "pixel_values", {images, 1, config.image_size, config.image_size, config.num_channels}, Phase::kStep);
  ValueId x = kNoValue;
  {
    Scope scope(b, "vision_model");
    x = b.LayerNorm(Embeddings(b, config, pixels), "pre_layrnorm", config.layer_norm_eps);  // sic
    for (int64_t i = 0; i < config.num_hidden_layers; ++i) {
      Scope layer(b, "encoder.layers." + std::to_string(i));
      x = EncoderLayer(b, config, x);
    }
    x = b.LayerNorm(b.Slice(x, 3, 0, 1), "post_layernorm", config.layer_norm_eps);  // the class token
  }
  b.Output("image_embeds", b.Linear(x, "visual_projection", config.projection_dim, false));
  return b.Finish();
}

}  // namespace mvd
