// The loop of every kind of training.
#pragma once

#include "mvd/train/loop/processes.h"
#include "mvd/train/loop/task.h"
#include "mvd/train/train.h"

namespace mvd {

// Runs `task` as TrainDiffusion's comment in train.h says.
TrainResult RunTraining(TrainTask& task, Communicator& group, RunMode mode, const TrainHooks& hooks);

}  // namespace mvd
