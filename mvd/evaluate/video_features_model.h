// The feature network, loaded from its folder.
#pragma once

#include <filesystem>
#include <memory>

#include "mvd/engine/network.h"
#include "mvd/measure/clip_measures.h"
#include "mvd/measure/frechet.h"
#include "mvd/models/video_features.h"

namespace mvd {

class VideoFeatures {
 public:
  // Error(kNotFound), or Error(kBadInput) for a folder that holds another network.
  VideoFeatures(const std::filesystem::path& folder, const NetworkOptions& options);

  // One row a clip. Clips have the network's number of frames, at its size or larger: it sees their middle.
  FeatureMatrix Of(const std::vector<FloatClip>& clips);
  const VideoFeaturesConfig& config() const { return config_; }

 private:
  VideoFeaturesConfig config_;
  std::unique_ptr<Network> network_;
  size_t output_ = 0;  // "features" among the graph's outputs
};

}  // namespace mvd
