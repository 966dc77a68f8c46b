#include "mvd/models/stability_names.h"

#include <gtest/gtest.h>

#include <map>

namespace mvd {
namespace {

constexpr StabilityLayout kFull{.unet_layers = 2, .vae_levels = 4};

std::string One(const std::string& name) {
  const auto found = FromStability(name, kFull);
  return found.size() == 1 ? found[0].folder + "/" + found[0].name : found.empty() ? "" : "several";
}

// A few names of each kind, by hand; tests/models_test.py has all of them.
TEST(StabilityNames, Examples) {
  const std::map<std::string, std::string> cases = {
      {"model.diffusion_model.input_blocks.0.0.weight", "unet/conv_in.weight"},
      {"model.diffusion_model.input_blocks.3.0.op.bias", "unet/down_blocks.0.downsamplers.0.conv.bias"},
      {"model.diffusion_model.input_blocks.4.0.skip_connection.weight",
       "unet/down_blocks.1.resnets.0.spatial_res_block.conv_shortcut.weight"},
      {"model.diffusion_model.output_blocks.2.1.conv.weight", "unet/up_blocks.0.upsamplers.0.conv.weight"},
      {"model.diffusion_model.output_blocks.5.2.conv.weight", "unet/up_blocks.1.upsamplers.0.conv.weight"},
      {"model.diffusion_model.output_blocks.5.1.norm.weight", "unet/up_blocks.1.attentions.2.norm.weight"},
      {"model.diffusion_model.middle_block.2.time_stack.emb_layers.1.bias",
       "unet/mid_block.resnets.1.temporal_res_block.time_emb_proj.bias"},
      {"model.diffusion_model.middle_block.1.time_stack.0.ff_in.net.0.proj.weight",
       "unet/mid_block.attentions.0.temporal_transformer_blocks.0.ff_in.net.0.proj.weight"},
      {"model.diffusion_model.middle_block.1.time_pos_embed.2.bias",
       "unet/mid_block.attentions.0.time_pos_embed.linear_2.bias"},
      {"model.diffusion_model.label_emb.0.2.weight", "unet/add_embedding.linear_2.weight"},
      {"first_stage_model.decoder.up.3.block.0.mix_factor",
       "vae/decoder.up_blocks.0.resnets.0.time_mixer.mix_factor"},
      {"first_stage_model.decoder.up.0.block.0.nin_shortcut.bias",
       "vae/decoder.up_blocks.3.resnets.0.spatial_res_block.conv_shortcut.bias"},
      {"first_stage_model.decoder.conv_out.time_mix_conv.weight", "vae/decoder.time_conv_out.weight"},
      {"conditioner.embedders.3.encoder.quant_conv.weight", "vae/quant_conv.weight"},
      {"conditioner.embedders.3.encoder.encoder.down.1.block.0.nin_shortcut.bias",
       "vae/encoder.down_blocks.1.resnets.0.conv_shortcut.bias"},
      {"conditioner.embedders.0.open_clip.model.visual.proj", "image_encoder/visual_projection.weight"},
      {"conditioner.embedders.0.open_clip.model.visual.transformer.resblocks.31.mlp.c_fc.bias",
       "image_encoder/vision_model.encoder.layers.31.mlp.fc1.bias"},
      {"conditioner.embedders.0.open_clip.model.visual.transformer.resblocks.0.attn.in_proj_bias",
       "several"}};
  for (const auto& [theirs, ours] : cases) EXPECT_EQ(One(theirs), ours) << theirs;
  const auto three = FromStability(
      "conditioner.embedders.0.open_clip.model.visual.transformer.resblocks.0.attn.in_proj_bias", kFull);
  EXPECT_EQ(three.at(1).name, "vision_model.encoder.layers.0.self_attn.k_proj.bias");
  EXPECT_EQ(three.at(2).part, 2);
}

TEST(StabilityNames, WhatHasNoPlace) {
  for (const char* name :
       {"", "conv_in.weight", "model.diffusion_model.", "model.diffusion_model.input_blocks.0.1.weight",
        "model.diffusion_model.input_blocks.1.weight", "model.diffusion_model.input_blocks.-1.0.norm.weight",
        "model.diffusion_model.input_blocks.99999999999999999999.0.norm.weight",
        "model.diffusion_model.middle_block.3.norm.weight",
        "first_stage_model.decoder.up.4.block.0.mix_factor", "first_stage_model.encoder.conv_in.weight",
        "conditioner.embedders.x.encoder.quant_conv.weight",
        "conditioner.embedders.0.open_clip.model.logit_scale"}) {
    EXPECT_EQ(One(name), "") << name;
  }
  EXPECT_TRUE(IsStabilitySpare("first_stage_model.encoder.conv_in.weight"));
  EXPECT_TRUE(IsStabilitySpare("conditioner.embedders.0.open_clip.model.logit_scale"));
  EXPECT_FALSE(IsStabilitySpare("conditioner.embedders.0.open_clip.model.visual.more"));
  EXPECT_FALSE(IsStabilitySpare("model.diffusion_model.adapter.weight"));
}

TEST(StabilityNames, Layout) {
  const StabilityLayout layout = LayoutOf({"model.diffusion_model.input_blocks.4.0.op.weight",
                                           "model.diffusion_model.input_blocks.2.0.op.weight",
                                           "first_stage_model.decoder.up.2.block.0.mix_factor"});
  EXPECT_EQ(layout.unet_layers, 1);
  EXPECT_EQ(layout.vae_levels, 3);
}

}  // namespace
}  // namespace mvd
