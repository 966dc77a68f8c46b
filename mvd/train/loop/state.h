// All that a run is at one moment, and its way into and out of a checkpoint: weights, moments, average,
// counters and data positions. Random numbers need no state (draws.h).
#pragma once

#include <string>
#include <vector>

#include "mvd/train/checkpoint.h"
#include "mvd/train/health.h"
#include "mvd/train/loop/adamw.h"
#include "mvd/train/loop/task.h"

namespace mvd {

struct RunState {
  int64_t step = 0;     // optimiser steps done
  int64_t samples = 0;  // clips seen, of all processes
  AdamWState adam;
  TensorMap average;  // empty where none is kept
  HealthCounters health;
  std::vector<std::string> positions;  // of the data, by rank
};

RunState MakeState(const TrainTask& task);

// Writes a checkpoint and returns its folder.
std::filesystem::path SaveState(const TrainTask& task, const RunState& state, CheckpointStore& store);

// Continues from `checkpoint`: overwrites the task's weights and returns the state. Throws Error(kUsage)
// where options that must not differ do, Error(kBadInput) naming file and tensor.
RunState RestoreState(TrainTask& task, const Checkpoint& checkpoint, int world, const Note& note);

// For the __metadata__ of every weights file: what it is and how it was made.
std::map<std::string, std::string> RecipeMetadata(const TrainTask& task, const RunState& state);

}  // namespace mvd
