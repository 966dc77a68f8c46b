// A run that is told to end, by however many signals, first ends its step and writes a checkpoint.
#pragma once

#include <condition_variable>
#include <mutex>

#include "mvd/base/process_end.h"

namespace mvd {

// While it lives, the process does not end after a signal: the first one cancels the run, which ends after
// its step and its checkpoint, and further ones wait for that. A launcher and a terminal often send one
// twice.
class CheckpointBeforeEnd {
 public:
  CheckpointBeforeEnd();
  ~CheckpointBeforeEnd();  // the checkpoint is written, or an error ends the run
  CheckpointBeforeEnd(const CheckpointBeforeEnd&) = delete;
  CheckpointBeforeEnd& operator=(const CheckpointBeforeEnd&) = delete;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool done_ = false;
  LastAct wait_;  // runs in the thread that ends the process
};

}  // namespace mvd
