// Training of a TAESD-shaped autoencoder, frame by frame.
#pragma once

#include "mvd/train/loop/task.h"

namespace mvd {

TrainTask MakeAutoencoderTask(const AutoencoderConfig& config, at::Device device);

}  // namespace mvd
