// The networks of a pipeline by name: which folder holds their weights and how their graph is built. One
// table.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "mvd/ir/graph.h"
#include "mvd/models/presets.h"

namespace mvd {

// Sizes of one call. Height and width are pixels of the clip for every component; each derives its own.
struct CallSizes {
  int64_t batch = 1;
  int64_t frames = 14;
  int64_t height = 576;
  int64_t width = 1024;
  int64_t picture_height = 0, picture_width = 0;  // of a decoder that moves a picture; 0: the clip's
};

// For the names and shapes of weights, which do not depend on a call's sizes.
inline constexpr CallSizes kSmallestCall{.batch = 1, .frames = 1, .height = 64, .width = 64};

inline constexpr std::string_view kImageEncoderClass =
    "CLIPVisionModelWithProjection";  // its config names none

struct ComponentInfo {
  std::string_view name;        // as `check`, `cost` and `bench` spell it: "unet", "vae_decoder"
  std::string_view folder;      // in a pipeline's folder: "unet", "vae"
  std::string_view class_name;  // of its config.json, or of the pipeline's index
  Graph (*build)(const ModelConfigs& configs, const CallSizes& sizes);
};

std::span<const ComponentInfo> Components();
// The networks of a component's class as its config names it, or transformers' image encoder; empty where no
// part of mobilevd runs such a class.
std::vector<const ComponentInfo*> NetworksOf(std::string_view class_name);
// Throws Error(kUsage) listing the names.
const ComponentInfo& FindComponent(std::string_view name);

// Pixels a latent pixel each way; sizes in pixels of a call on h x w latents are these times h and w.
int64_t PixelsPerLatent(const ModelConfigs& configs, std::string_view component);

}  // namespace mvd
