// A small video network whose features are used to compare sets of clips. It was trained here, on procedural
// clips, to tell how fast each part of the frame moves, whether and how a clip was damaged, and the kind of
// scene. Frechet distances on its features are this project's own: not FVD, and comparable with no other.
#pragma once

#include <string_view>
#include <vector>

#include "mvd/ir/graph.h"
#include "mvd/models/config_json.h"

namespace mvd {

struct VideoFeaturesConfig {
  static constexpr std::string_view kClassKey = "_class_name";
  static constexpr std::string_view kClassName = "MobilevdVideoFeatures";

  int64_t frames = 14, height = 64, width = 128;               // of the clips it sees
  std::vector<int64_t> block_out_channels = {16, 32, 48, 64};  // each halves the frame
  int64_t features = 32;
  int64_t kinds = 18;
  int64_t damages = 5;

  template <class V>
  void Visit(V&& v) {
    v("frames", frames), v("height", height), v("width", width);
    v("block_out_channels", block_out_channels), v("features", features), v("kinds", kinds),
        v("damages", damages);
  }
  bool operator==(const VideoFeaturesConfig&) const = default;
};

void CheckConfig(const ConfigChecker& check, const VideoFeaturesConfig& config);

// Input "clip" (B,T,H,W,3) in [-1,1]. Outputs: "features" (B,1,1,1,features), each in (-1,1), so that no clip
// outweighs the others; and what the network is trained to tell: "motion" (B,1,1,1,h*w), h = H/2^levels, the
// speed of each cell as a motion bucket divided by 255; "damage" (B,1,1,1,damages) and "kind"
// (B,1,1,1,kinds), logits.
Graph BuildVideoFeatures(const VideoFeaturesConfig& config, int64_t batch);

}  // namespace mvd
