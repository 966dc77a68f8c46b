#include "mvd/models/stability_names.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <span>

namespace mvd {
namespace {

constexpr std::string_view kUnet = "model.diffusion_model.", kFirstStage = "first_stage_model.",
                           kEmbedders = "conditioner.embedders.", kClip = "open_clip.model.",
                           kVisual = "open_clip.model.visual.";

// A module's name there and in diffusers, both as far as they differ. Whole segments are compared.
struct Row {
  std::string_view theirs, ours;
};

constexpr std::array<Row, 7> kUnetOutside = {{{"time_embed.0", "time_embedding.linear_1"},
                                              {"time_embed.2", "time_embedding.linear_2"},
                                              {"label_emb.0.0", "add_embedding.linear_1"},
                                              {"label_emb.0.2", "add_embedding.linear_2"},
                                              {"input_blocks.0.0", "conv_in"},
                                              {"out.0", "conv_norm_out"},
                                              {"out.2", "conv_out"}}};
constexpr std::array<Row, 6> kResBlock = {{{"in_layers.0", "norm1"},
                                           {"in_layers.2", "conv1"},
                                           {"emb_layers.1", "time_emb_proj"},
                                           {"out_layers.0", "norm2"},
                                           {"out_layers.3", "conv2"},
                                           {"skip_connection", "conv_shortcut"}}};
constexpr std::array<Row, 8> kTransformer = {{{"norm", "norm"},
                                              {"proj_in", "proj_in"},
                                              {"proj_out", "proj_out"},
                                              {"transformer_blocks", "transformer_blocks"},
                                              {"time_stack", "temporal_transformer_blocks"},
                                              {"time_pos_embed.0", "time_pos_embed.linear_1"},
                                              {"time_pos_embed.2", "time_pos_embed.linear_2"},
                                              {"time_mixer", "time_mixer"}}};
constexpr std::array<Row, 4> kVaeOutside = {{{"conv_out.time_mix_conv", "time_conv_out"},
                                             {"conv_in", "conv_in"},
                                             {"conv_out", "conv_out"},
                                             {"norm_out", "conv_norm_out"}}};
constexpr std::array<Row, 5> kVaeResnet = {{{"norm1", "norm1"},
                                            {"conv1", "conv1"},
                                            {"norm2", "norm2"},
                                            {"conv2", "conv2"},
                                            {"nin_shortcut", "conv_shortcut"}}};
constexpr std::array<Row, 5> kVaeAttention = {
    {{"norm", "group_norm"}, {"q", "to_q"}, {"k", "to_k"}, {"v", "to_v"}, {"proj_out", "to_out.0"}}};
constexpr std::array<Row, 5> kClipOutside = {
    {{"class_embedding", "vision_model.embeddings.class_embedding"},
     {"conv1", "vision_model.embeddings.patch_embedding"},
     {"positional_embedding", "vision_model.embeddings.position_embedding.weight"},
     {"ln_pre", "vision_model.pre_layrnorm"},
     {"ln_post", "vision_model.post_layernorm"}}};
constexpr std::array<Row, 5> kClipLayer = {{{"ln_1", "layer_norm1"},
                                            {"ln_2", "layer_norm2"},
                                            {"attn.out_proj", "self_attn.out_proj"},
                                            {"mlp.c_fc", "mlp.fc1"},
                                            {"mlp.c_proj", "mlp.fc2"}}};

// Takes `prefix` off the front of `text`, at the end of a segment.
bool Take(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  std::string_view rest = text.substr(prefix.size());
  if (!prefix.ends_with('.') && !rest.empty()) {
    if (!rest.starts_with('.')) return false;
    rest.remove_prefix(1);
  }
  text = rest;
  return true;
}

// Takes a number and the dot behind it.
std::optional<int64_t> TakeNumber(std::string_view& text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || value < 0 || value > 1'000'000) return std::nullopt;
  std::string_view rest = text.substr(size_t(end - text.data()));
  if (!rest.starts_with('.')) return std::nullopt;
  text = rest.substr(1);
  return value;
}

// "norm1.weight" for "in_layers.0.weight"; empty where no row fits.
std::string Renamed(std::string_view text, std::span<const Row> rows) {
  for (const Row& row : rows) {
    std::string_view rest = text;
    if (Take(rest, row.theirs)) return std::string(row.ours) + (rest.empty() ? "" : "." + std::string(rest));
  }
  return "";
}

std::string Dotted(std::string_view front, int64_t number) {
  return std::string(front) + std::to_string(number) + ".";
}

std::string Behind(std::string_view front, const std::string& name) {
  return name.empty() ? "" : std::string(front) + name;
}

// A VideoResBlock: its own layers, those of its time_stack, and how the two are mixed.
std::string UnetResnet(const std::string& block, std::string_view rest) {
  if (rest.starts_with("time_mixer.")) return block + std::string(rest);
  if (Take(rest, "time_stack.")) return Behind(block + "temporal_res_block.", Renamed(rest, kResBlock));
  return Behind(block + "spatial_res_block.", Renamed(rest, kResBlock));
}

// input_blocks counts conv_in, then each level's layers and its downsampler; output_blocks has one layer more
// a level, and the upsampler inside the last one.
std::string UnetName(std::string_view name, int64_t layers) {
  if (const std::string outside = Renamed(name, kUnetOutside); !outside.empty()) return outside;
  if (Take(name, "middle_block.")) {
    const auto place = TakeNumber(name);
    if (place == 1) return Behind("mid_block.attentions.0.", Renamed(name, kTransformer));
    if (place == 0 || place == 2) return UnetResnet(Dotted("mid_block.resnets.", *place / 2), name);
    return "";
  }
  const bool down = Take(name, "input_blocks.");
  if (!down && !Take(name, "output_blocks.")) return "";
  const auto index = TakeNumber(name);
  if (!index || (down && *index == 0)) return "";
  const auto place = TakeNumber(name);
  if (!place) return "";
  const int64_t at = down ? *index - 1 : *index, level = at / (layers + 1), layer = at % (layers + 1);
  const std::string block = Dotted(down ? "down_blocks." : "up_blocks.", level);
  if (down && layer == layers)
    return Take(name, "op.") ? block + "downsamplers.0.conv." + std::string(name) : "";
  if (*place == 0) return UnetResnet(block + Dotted("resnets.", layer), name);
  if (!down && Take(name, "conv.")) return block + "upsamplers.0.conv." + std::string(name);
  return *place == 1 ? Behind(block + Dotted("attentions.", layer), Renamed(name, kTransformer)) : "";
}

// Of the image encoder, plain; of the video decoder, with a time_stack and a mix_factor of its own.
std::string VaeResnet(const std::string& block, std::string_view rest, bool video) {
  if (!video) return Behind(block, Renamed(rest, kVaeResnet));
  if (rest == "mix_factor") return block + "time_mixer.mix_factor";
  if (Take(rest, "time_stack.")) return Behind(block + "temporal_res_block.", Renamed(rest, kResBlock));
  return Behind(block + "spatial_res_block.", Renamed(rest, kVaeResnet));
}

// Levels of the decoder are counted from the picture there, from the latents in diffusers.
std::string VaeName(std::string_view name, bool decoder, int64_t levels) {
  if (const std::string outside = Renamed(name, kVaeOutside); !outside.empty()) return outside;
  if (Take(name, "mid.attn_1.")) return Behind("mid_block.attentions.0.", Renamed(name, kVaeAttention));
  if (Take(name, "mid.block_1.")) return VaeResnet("mid_block.resnets.0.", name, decoder);
  if (Take(name, "mid.block_2.")) return VaeResnet("mid_block.resnets.1.", name, decoder);
  if (!Take(name, decoder ? "up." : "down.")) return "";
  const auto level = TakeNumber(name);
  if (!level || *level >= levels) return "";
  const std::string block =
      decoder ? Dotted("up_blocks.", levels - 1 - *level) : Dotted("down_blocks.", *level);
  if (Take(name, decoder ? "upsample.conv." : "downsample.conv.")) {
    return block + (decoder ? "upsamplers.0.conv." : "downsamplers.0.conv.") + std::string(name);
  }
  if (!Take(name, "block.")) return "";
  const auto layer = TakeNumber(name);
  return layer ? VaeResnet(block + Dotted("resnets.", *layer), name, decoder) : "";
}

StabilityTensor VaeTensor(std::string name) {
  const bool matrix = name.find(".attentions.") != name.npos && name.ends_with(".weight") &&
                      !name.ends_with("group_norm.weight");
  return {"vae", std::move(name), matrix ? StabilityForm::kMatrix : StabilityForm::kSame};
}

std::vector<StabilityTensor> ClipTensors(std::string_view name) {
  const std::string folder = "image_encoder";
  if (name == "proj") return {{folder, "visual_projection.weight", StabilityForm::kTransposed}};
  if (const std::string outside = Renamed(name, kClipOutside); !outside.empty()) return {{folder, outside}};
  if (!Take(name, "transformer.resblocks.")) return {};
  const auto number = TakeNumber(name);
  if (!number) return {};
  const std::string layer = Dotted("vision_model.encoder.layers.", *number);
  for (const char* end : {"weight", "bias"}) {
    if (name != std::string("attn.in_proj_") + end) continue;
    std::vector<StabilityTensor> three;
    for (int part = 0; part < 3; ++part) {
      three.push_back(
          {folder, layer + "self_attn." + "qkv"[part] + "_proj." + end, StabilityForm::kThird, part});
    }
    return three;
  }
  const std::string inside = Renamed(name, kClipLayer);
  if (inside.empty()) return {};
  return {{folder, layer + inside}};
}

}  // namespace

std::vector<StabilityTensor> FromStability(std::string_view name, const StabilityLayout& layout) {
  std::string found;
  if (Take(name, kUnet)) {
    found = UnetName(name, layout.unet_layers);
    return found.empty() ? std::vector<StabilityTensor>{} : std::vector<StabilityTensor>{{"unet", found}};
  }
  if (Take(name, kFirstStage)) {
    if (Take(name, "decoder.")) found = Behind("decoder.", VaeName(name, true, layout.vae_levels));
  } else if (Take(name, kEmbedders) && TakeNumber(name)) {
    if (Take(name, kVisual)) return ClipTensors(name);
    // The picture is encoded by the conditioner's own autoencoder.
    if (Take(name, "encoder.encoder.")) {
      found = Behind("encoder.", VaeName(name, false, layout.vae_levels));
    } else if (Take(name, "encoder.quant_conv.")) {
      found = "quant_conv." + std::string(name);
    }
  }
  return found.empty() ? std::vector<StabilityTensor>{} : std::vector<StabilityTensor>{VaeTensor(found)};
}

bool IsStabilitySpare(std::string_view name) {
  if (Take(name, kFirstStage)) return name.starts_with("encoder.");
  if (!Take(name, kEmbedders) || !TakeNumber(name)) return false;
  if (Take(name, kClip)) return !name.starts_with("visual.");
  return name.starts_with("encoder.decoder.") || name.starts_with("encoder.post_quant_conv.");
}

bool HasStabilityNames(const std::vector<std::string>& names) {
  return std::ranges::any_of(names, [](std::string_view name) {
    return name.starts_with(kUnet) || name.starts_with(kFirstStage) || name.starts_with(kEmbedders);
  });
}

StabilityLayout LayoutOf(const std::vector<std::string>& names) {
  StabilityLayout layout{.unet_layers = 0, .vae_levels = 0};
  int64_t inputs = 0, first_downsampler = 0;
  for (std::string_view name : names) {
    if (Take(name, kUnet) && Take(name, "input_blocks.")) {
      const int64_t index = TakeNumber(name).value_or(0);
      inputs = std::max(inputs, index);
      const bool first = first_downsampler == 0 || index < first_downsampler;
      if (name.starts_with("0.op.") && first) first_downsampler = index;
    } else if (Take(name, kFirstStage) && Take(name, "decoder.up.")) {
      layout.vae_levels = std::max(layout.vae_levels, TakeNumber(name).value_or(-1) + 1);
    }
  }
  // Without a downsampler there is one level, and all its blocks are layers.
  layout.unet_layers = first_downsampler > 0 ? first_downsampler - 1 : inputs;
  return layout;
}

}  // namespace mvd
