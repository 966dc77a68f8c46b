#include "mvd/cost/classify.h"

#include <algorithm>
#include <charconv>
#include <vector>

namespace mvd {
namespace {

bool Has(std::string_view name, std::string_view part) { return name.find(part) != std::string_view::npos; }

// The number behind "<block>." in a name, or -1.
int BlockIndex(std::string_view name, std::string_view block) {
  const size_t at = name.find(block);
  if (at == std::string_view::npos) return -1;
  const std::string_view digits = name.substr(at + block.size());
  int index = -1;
  std::from_chars(digits.data(), digits.data() + digits.size(), index);
  return index;
}

// What a part of a name says, first match first.
struct KindRule {
  std::string_view part, kind;
};
constexpr KindRule kKindRules[] = {
    {"temporal_res_block.", "temporal resnet"},
    {"spatial_res_block.", "spatial resnet"},
    {"temporal_transformer_blocks.0.attn1", "temporal attention"},
    {"temporal_transformer_blocks.0.norm1", "temporal attention"},
    {"temporal_transformer_blocks.0.attn2", "temporal cross-attention"},
    {"temporal_transformer_blocks.0.norm2", "temporal cross-attention"},
    {"temporal_transformer_blocks.", "temporal feed-forward"},
    {"transformer_blocks.0.attn1", "spatial attention"},
    {"transformer_blocks.0.norm1", "spatial attention"},
    {"transformer_blocks.0.attn2", "spatial cross-attention"},
    {"transformer_blocks.0.norm2", "spatial cross-attention"},
    {"transformer_blocks.", "spatial feed-forward"},
    {"time_pos_embed", "frame embedding"},
    {"proj_in", "projection"},
    {"proj_out", "projection"},
    {"time_mixer", "blend"},
    {"downsamplers.", "resampling"},
    {"upsamplers.", "resampling"},
    {"resnets.", "spatial resnet"},
    {"self_attn", "spatial attention"},
    {"layer_norm1", "spatial attention"},
    {"mlp.", "spatial feed-forward"},
    {"layer_norm2", "spatial feed-forward"},
    {"attentions.", "spatial attention"},
    {"time_embedding", "embedding"},
    {"add_embedding", "embedding"},
    {"embeddings", "embedding"},
    {"conv_in", "input and output"},
    {"conv_norm_out", "input and output"},
    {"conv_out", "input and output"},
    {"quant_conv", "input and output"},
};

std::string KindOf(std::string_view name) {
  for (const KindRule& rule : kKindRules) {
    if (Has(name, rule.part)) return std::string(rule.kind);
  }
  return "other";
}

// The first part of the name, or the first two of "down_blocks.0"; behind "encoder." and the like if it is
// there.
std::string ComponentOf(std::string_view name) {
  std::string component;
  for (;;) {
    const size_t dot = name.find('.');
    const std::string_view part = name.substr(0, dot);
    component += part;
    if (dot == std::string_view::npos) return component;
    name.remove_prefix(dot + 1);
    const bool prefix = part == "encoder" || part == "decoder" || part == "vision_model" ||
                        part == "down_blocks" || part == "up_blocks" || part == "layers";
    if (!prefix) return component;
    component += ".";
  }
}

}  // namespace

Classifier::Classifier(const Graph& graph) {
  for (const Node& node : graph.nodes) {
    up_blocks_ = std::max(up_blocks_, BlockIndex(node.name, "up_blocks.") + 1);
    down_blocks_ = std::max(down_blocks_, BlockIndex(node.name, "down_blocks.") + 1);
  }
}

NodeClass Classifier::Classify(std::string_view name) const {
  NodeClass result{.component = ComponentOf(name), .level = "-", .kind = KindOf(name)};
  const int blocks = std::max(up_blocks_, down_blocks_);
  int level = -1;
  if (const int down = BlockIndex(name, "down_blocks."); down >= 0) level = down;
  if (const int up = BlockIndex(name, "up_blocks."); up >= 0) level = up_blocks_ - 1 - up;
  if (Has(name, "mid_block.") && blocks > 0) level = blocks - 1;
  if (result.kind == "input and output") level = 0;
  if (level >= 0) result.level = "level " + std::to_string(level);
  return result;
}

}  // namespace mvd
