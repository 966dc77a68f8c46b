// Cancellation and progress of long work: polled between steps, never thrown through a kernel.
#pragma once

#include <atomic>
#include <functional>
#include <string_view>

#include "mvd/base/error.h"

namespace mvd {

// Shared by whoever asks for an end (a signal handler, a server) and the work that polls it.
class CancelToken {
 public:
  void Cancel() { cancelled_.store(true, std::memory_order_relaxed); }
  bool cancelled() const { return cancelled_.load(std::memory_order_relaxed); }
  // Throws Error(kCancelled) once cancelled.
  void Poll() const {
    if (cancelled()) throw Error(Exit::kCancelled, "", "cancelled");
  }

 private:
  std::atomic<bool> cancelled_{false};
};

// Called with the stage's name and the share done, 0 to 1.
using Progress = std::function<void(std::string_view stage, double done)>;

}  // namespace mvd
