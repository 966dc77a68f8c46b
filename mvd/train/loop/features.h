// The network on whose features clips are compared (mvd/models/video_features.h), as the loop's task.
#pragma once

#include "mvd/train/loop/task.h"

namespace mvd {

TrainTask MakeFeaturesTask(const FeaturesConfig& config, at::Device device);

}  // namespace mvd
