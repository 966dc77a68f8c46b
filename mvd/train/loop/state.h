// The whole state of a run and how it gets into and out of a checkpoint: weights, moments, average, counters
// and data positions. Random numbers need no state (draws.h).
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
  std::vector<std::string> positions;  // in the data, by rank
};

RunState MakeState(const TrainTask& task);

// Writes a checkpoint and returns its folder.
std::filesystem::path SaveState(const TrainTask& task, const RunState& state, CheckpointStore& store);

// All processes go on from what rank 0 holds: they get its weights, moments, average and counters, and what
// its task has decided. Throws Error(kCheckFailed) in every process where one of them then holds something
// else.
void ShareState(TrainTask& task, RunState& state, Communicator& group);

// Continues from `checkpoint`: overwrites the task's weights and returns the state. Throws Error(kUsage)
// where options that must not differ do, Error(kBadInput) naming file and tensor.
RunState RestoreState(TrainTask& task, const Checkpoint& checkpoint, int world, const Note& note);

// The __metadata__ of every weights file: what it holds and how it was made.
std::map<std::string, std::string> RecipeMetadata(const TrainTask& task, const RunState& state);

}  // namespace mvd
