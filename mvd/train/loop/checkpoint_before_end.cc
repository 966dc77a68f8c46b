#include "mvd/train/loop/checkpoint_before_end.h"

namespace mvd {

CheckpointBeforeEnd::CheckpointBeforeEnd()
    : wait_([this] {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return done_; });
      }) {}

CheckpointBeforeEnd::~CheckpointBeforeEnd() {
  const std::lock_guard lock(mutex_);
  done_ = true;
  changed_.notify_all();
}

}  // namespace mvd
