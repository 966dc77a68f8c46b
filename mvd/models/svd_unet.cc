#include "mvd/models/svd_unet.h"

#include <algorithm>
#include <map>

#include "mvd/ir/builder.h"
#include "mvd/models/blocks.h"
#include "mvd/models/spatio_temporal_transformer.h"
#include "mvd/models/unet_layout.h"

namespace mvd {
namespace {

constexpr std::string_view kCrossDown = "CrossAttnDownBlockSpatioTemporal";
constexpr std::string_view kPlainDown = "DownBlockSpatioTemporal";
constexpr std::string_view kCrossUp = "CrossAttnUpBlockSpatioTemporal";
constexpr std::string_view kPlainUp = "UpBlockSpatioTemporal";
constexpr int64_t kTimeIds = 3;  // fps - 1, motion bucket, noise augmentation

// diffusers gives its blocks different eps; they are not in the config.
constexpr double kCrossDownEps = 1e-6, kPlainDownEps = 1e-5, kMidEps = 1e-5, kUpEps = 1e-6, kOutEps = 1e-5;

// What all blocks are given, and the skips that the down blocks leave for the up blocks.
struct Unet {
  Builder& b;
  const SvdUnetConfig& config;
  ValueId silu_emb, context, gates;
  std::vector<ValueId> skips;
  std::map<int64_t, ValueId> contexts;  // number of frames -> the context, repeated to them
  int64_t gates_used = 0;
  bool inside = false;  // between the pooling of multiscaling and its end

  ValueId Resnet(ValueId x, int64_t index, int64_t channels, double eps);
  // `level` counts from the finest, on the way down as on the way up.
  ValueId Transformer(ValueId x, int64_t index, size_t level);
  ValueId Down(ValueId x, size_t level);
  ValueId Mid(ValueId x);
  ValueId Up(ValueId x, size_t index);

  bool Keeps(const std::string& block) const;
  ValueId NextGate();
  ValueId FrameContext(int64_t frames);
  ValueId Pool(ValueId x);
};

bool Unet::Keeps(const std::string& block) const {
  const auto& kept = config.compression.kept_temporal_blocks;
  return !kept || std::find(kept->begin(), kept->end(), block) != kept->end();
}

ValueId Unet::NextGate() { return gates == kNoValue ? kNoValue : b.Slice(gates, 4, gates_used++, 1); }

ValueId Unet::FrameContext(int64_t frames) {
  const auto [found, is_new] = contexts.try_emplace(frames, kNoValue);
  if (is_new) {
    const Dims d = b.dims(context);
    found->second = b.Expand(context, {d.b, frames, 1, 1, d.c});
  }
  return found->second;
}

ValueId Unet::Resnet(ValueId x, int64_t index, int64_t channels, double eps) {
  const std::string name = "resnets." + std::to_string(index);
  SpatioTemporalOptions options{
      .eps = eps, .temporal_eps = eps, .compression = &config.compression, .groups = config.norm_num_groups};
  options.temporal = Keeps(b.Path(name));
  if (options.temporal) options.gate = NextGate();
  Scope scope(b, name);
  return SpatioTemporalResBlock(b, x, channels, silu_emb, options);
}

ValueId Unet::Transformer(ValueId x, int64_t index, size_t level) {
  const std::string name = "attentions." + std::to_string(index);
  TransformerOptions options{.heads = config.num_attention_heads[level],
                             .layers = config.transformer_layers_per_block[level],
                             .compression = &config.compression,
                             .groups = config.norm_num_groups};
  options.temporal = Keeps(b.Path(name));
  if (options.temporal) options.gate = NextGate();
  const int64_t factor = config.compression.temporal_multiscale;
  if (inside && config.compression.multiscale_frame_index == kOuterFrames)
    options.frame_scale = double(factor), options.frame_shift = double(factor - 1) / 2;
  Scope scope(b, name);
  return SpatioTemporalTransformer(b, x, context, FrameContext(b.dims(x).t), options);
}

// Multiscaling (arXiv 2412.07583, section 3.3): the maximum of neighbouring frames and pixels.
ValueId Unet::Pool(ValueId x) {
  const UnetCompression& c = config.compression;
  if (c.temporal_multiscale == 1 && c.spatial_multiscale == 1) return x;
  return b.MaxPool(x, c.temporal_multiscale, c.spatial_multiscale, c.spatial_multiscale);
}

ValueId Unet::Down(ValueId x, size_t level) {
  Scope scope(b, "down_blocks." + std::to_string(level));
  const bool cross = config.down_block_types[level] == kCrossDown;
  const int64_t channels = config.block_out_channels[level];
  for (int64_t i = 0; i < config.layers_per_block[level]; ++i) {
    x = Resnet(x, i, channels, cross ? kCrossDownEps : kPlainDownEps);
    if (cross) x = Transformer(x, i, level);
    skips.push_back(x);
  }
  if (level + 1 < config.block_out_channels.size()) {
    x = b.Conv2d(x, "downsamplers.0.conv", channels, {.stride = 2});
    if (level == 0) x = Pool(x), inside = true;  // the skip that is kept is the pooled one
    skips.push_back(x);
  }
  return x;
}

ValueId Unet::Mid(ValueId x) {
  Scope scope(b, "mid_block");
  const int64_t channels = config.block_out_channels.back();
  x = Resnet(x, 0, channels, kMidEps);
  x = Transformer(x, 0, config.block_out_channels.size() - 1);
  return Resnet(x, 1, channels, kMidEps);
}

ValueId Unet::Up(ValueId x, size_t index) {
  Scope scope(b, "up_blocks." + std::to_string(index));
  const size_t level = config.block_out_channels.size() - 1 - index;
  const bool cross = config.up_block_types[index] == kCrossUp;
  for (int64_t i = 0; i <= config.layers_per_block[level]; ++i) {
    x = b.Concat({x, skips.back()}, 4);
    skips.pop_back();
    x = Resnet(x, i, config.block_out_channels[level], kUpEps);
    if (cross) x = Transformer(x, i, level);
  }
  if (level == 0) return x;
  // An odd size was rounded up on the way down: the skip knows what it was.
  const Dims target = b.dims(skips.back());
  if (level > 1) return Upsample(b, x, target.h, target.w);
  // The last upsampler ends multiscaling: behind its convolution, or, for space, in front of it.
  inside = false;
  const UnetCompression& c = config.compression;
  const bool early = c.spatial_multiscale_restore == kRestoreBeforeUpsampler;
  const int64_t shrunk = early ? 1 : c.spatial_multiscale;
  x = Upsample(b, x, (target.h + shrunk - 1) / shrunk, (target.w + shrunk - 1) / shrunk);
  const Dims d = b.dims(x);
  if (d.t == target.t && d.h == target.h && d.w == target.w) return x;
  Scope scope_restore(b, "restore");
  return b.ResizeNearest(x, target.t, target.h, target.w);
}

// The embedding of noise level and added ids, (B,1,1,1,4 C0), behind the SiLU that every block starts with.
ValueId SiluOfTimeEmbedding(Builder& b, const SvdUnetConfig& config, ValueId timestep, ValueId ids) {
  const int64_t channels = config.block_out_channels[0];
  const auto embed = [&](ValueId x, int64_t dim, const char* name) {
    Scope scope(b, name);
    return EmbeddingMlp(b, b.Timestep(x, dim), 4 * channels, 4 * channels);
  };
  const ValueId time = embed(timestep, channels, "time_embedding");
  const ValueId added = embed(ids, config.addition_time_embed_dim, "add_embedding");
  return b.Activation(b.Add(time, added), Act::kSilu);
}

void CheckBlocks(const ConfigChecker& check, const SvdUnetConfig& config) {
  constexpr size_t kMostBlocks = 8;
  const size_t blocks = config.block_out_channels.size();
  check.Length("block_out_channels", blocks, 1, kMostBlocks);
  check.Length("down_block_types", config.down_block_types.size(), blocks, blocks);
  check.Length("up_block_types", config.up_block_types.size(), blocks, blocks);
  for (const std::string& type : config.down_block_types) {
    check.OneOf("down_block_types", type, {kCrossDown, kPlainDown});
  }
  for (const std::string& type : config.up_block_types) {
    check.OneOf("up_block_types", type, {kCrossUp, kPlainUp});
  }
  check.Range("block_out_channels", config.block_out_channels, 1, 16384);
  for (int64_t channels : config.block_out_channels) {
    check.Multiple("block_out_channels", channels, kNormGroups, "groups of the norms");
  }
  check.Range("norm_num_groups", config.norm_num_groups, 1, kNormGroups);
  if (kNormGroups % config.norm_num_groups != 0)
    check.Fail("norm_num_groups", "is ", config.norm_num_groups, ", expected a divisor of ", kNormGroups);
  check.Range("layers_per_block", config.layers_per_block, blocks, 1, 16);
  check.Range("transformer_layers_per_block", config.transformer_layers_per_block, blocks, 1, 16);
}

void CheckAttention(const ConfigChecker& check, const SvdUnetConfig& config) {
  const size_t blocks = config.block_out_channels.size();
  check.Range("num_attention_heads", config.num_attention_heads, blocks, 1, 1024);
  for (size_t level = 0; level < blocks; ++level) {
    const bool used = level + 1 == blocks || config.down_block_types[level] == kCrossDown ||
                      config.up_block_types[blocks - 1 - level] == kCrossUp;
    const int64_t heads = config.num_attention_heads[level];
    if (used)
      check.Multiple("block_out_channels", config.block_out_channels[level], heads, "attention heads");
  }
  check.Range("cross_attention_dim", config.cross_attention_dim, blocks, 1, 65536);
  for (int64_t dim : config.cross_attention_dim.values) {
    const int64_t first = config.cross_attention_dim[0];
    if (dim != first) {
      check.Fail("cross_attention_dim", "differs between blocks (", first, ", ", dim,
                 "), but all are given the same context");
    }
  }
}

}  // namespace

void CheckConfig(const ConfigChecker& check, const SvdUnetConfig& config) {
  CheckBlocks(check, config);
  CheckAttention(check, config);
  check.Length("sample_size", config.sample_size.values.size(), 0, 2);
  check.Range("sample_size", config.sample_size.values, 1, 65536);
  check.Range("in_channels", config.in_channels, 1, 16384);
  check.Range("out_channels", config.out_channels, 1, 16384);
  check.Range("addition_time_embed_dim", config.addition_time_embed_dim, 2, 16384);
  check.Multiple("addition_time_embed_dim", config.addition_time_embed_dim, 2, "cosines and sines");
  const int64_t ids_dim = kTimeIds * config.addition_time_embed_dim;
  if (config.projection_class_embeddings_input_dim != ids_dim) {
    check.Fail("projection_class_embeddings_input_dim", "is ", config.projection_class_embeddings_input_dim,
               ", expected ", ids_dim, ", three times addition_time_embed_dim");
  }
  check.Range("num_frames", config.num_frames, 1, 4096);
  for (size_t i = 0; i < config.sampling.sigmas.size(); ++i) {
    check.Real("sampling.sigmas", config.sampling.sigmas[i], 1e-4, 1e6);
    if (i > 0 && config.sampling.sigmas[i] >= config.sampling.sigmas[i - 1])
      check.Fail("sampling.sigmas", "holds ", config.sampling.sigmas[i - 1], " and then ",
                 config.sampling.sigmas[i], ", expected falling noise levels");
  }
  CheckCompression(check, config);
}

Graph BuildSvdUnet(const SvdUnetConfig& config, int64_t batch, int64_t frames, int64_t height, int64_t width,
                   const SvdUnetOptions& options) {
  Builder b("unet");
  const int64_t context_dim = config.cross_attention_dim[0];
  const ValueId sample = b.Input("sample", {batch, frames, height, width, config.in_channels}, Phase::kStep);
  const ValueId timestep = b.Input("timestep", {batch, 1, 1, 1, 1}, Phase::kStep);
  const ValueId context = b.Input("encoder_hidden_states", {batch, 1, 1, 1, context_dim}, Phase::kClip);
  const ValueId ids = b.Input("added_time_ids", {batch, 1, 1, 1, kTimeIds}, Phase::kClip);

  Unet unet{.b = b,
            .config = config,
            .silu_emb = SiluOfTimeEmbedding(b, config, timestep, ids),
            .context = context,
            .gates = kNoValue,
            .skips = {},
            .contexts = {}};
  if (options.temporal_gates) {
    const int64_t blocks = int64_t(KeptTemporalBlocks(config).size());
    if (blocks > 0) unet.gates = b.Input("temporal_gates", {1, 1, 1, 1, blocks}, Phase::kStep);
  }
  ValueId x = b.Conv2d(sample, "conv_in", config.block_out_channels[0]);
  unet.skips.push_back(x);
  const size_t blocks = config.block_out_channels.size();
  for (size_t level = 0; level < blocks; ++level) {
    x = unet.Down(x, level);
    if (options.encoder_taps == EncoderTaps::kNone) continue;
    const bool halved = level + 1 < blocks;  // the last skip is what is handed on
    const bool layers = options.encoder_taps == EncoderTaps::kLayers && halved;
    b.Output("down_blocks." + std::to_string(level), layers ? unet.skips.end()[-2] : x);
  }
  if (options.encoder_taps != EncoderTaps::kNone) return b.Finish();
  x = unet.Mid(x);
  for (size_t index = 0; index < blocks; ++index) x = unet.Up(x, index);

  x = NormSilu(b, x, "conv_norm_out", kOutEps, Axis::kSpatial, config.norm_num_groups);
  b.Output("sample", b.Conv2d(x, "conv_out", config.out_channels));
  return b.Finish();
}

}  // namespace mvd
