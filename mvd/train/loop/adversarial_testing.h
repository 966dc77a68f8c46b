// What the tests of adversarial training share.
#pragma once

#include <ATen/ATen.h>

#include <string>
#include <vector>

#include "mvd/train/loop/adversarial.h"
#include "mvd/train/loop/data.h"

namespace mvd {

// A UNet of two levels in 32 and 64 channels: 12 temporal blocks.
inline AdversarialConfig Tiny() {
  AdversarialConfig c;
  c.model.preset = "svd-tiny";
  c.model.unet =
      R"({"block_out_channels":[32,64],"addition_time_embed_dim":16,"cross_attention_dim":64,
          "projection_class_embeddings_input_dim":48,"num_attention_heads":[1,2],"sample_size":4})";
  c.model.taesd =
      R"({"encoder_block_out_channels":[8,8,8,8],"decoder_block_out_channels":[8,8,8,8],
          "num_encoder_blocks":[1,1,1,1],"num_decoder_blocks":[1,1,1,1]})";
  c.image_encoder = "none";
  c.data.height = 32, c.data.width = 48, c.data.frames = 4;
  c.width = 32;
  c.discriminator_warmup_steps = 0;
  c.output.heldout_clips = 1;
  return c;
}

inline std::vector<TrainingItem> Items(const CommonConfig& c, int count) {
  const auto source = MakeClipSource(c.data, 1, 0, 1, 0, nullptr);
  std::vector<TrainingItem> items;
  for (int i = 0; i < count; ++i) items.push_back({source->Next(), uint64_t(i)});
  return items;
}

inline bool AnyGradient(const Parameters& parameters, const std::string& prefix) {
  for (const auto& [name, tensor] : parameters) {
    if (name.starts_with(prefix) && tensor.grad().defined() && tensor.grad().abs().max().item<float>() > 0)
      return true;
  }
  return false;
}

}  // namespace mvd
