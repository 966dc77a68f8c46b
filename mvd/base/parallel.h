// The one parallel loop. OpenMP behind it, so that oneDNN and our kernels share one pool of threads; where
// the compiler has none, threads of its own (no_openmp.cc).
#pragma once

#include <cstdint>
#include <functional>

namespace mvd {

// How many threads a loop may use; passed explicitly. `pin` binds thread i to the i-th allowed processor.
struct Threads {
  int count = 1;
  bool pin = false;
};

int HardwareThreads();  // processors this process may use

// Applies `threads` to this thread's OpenMP settings (and oneDNN's, which follow them) until destroyed.
class ScopedThreads {
 public:
  explicit ScopedThreads(const Threads& threads);
  ~ScopedThreads();
  ScopedThreads(const ScopedThreads&) = delete;
  ScopedThreads& operator=(const ScopedThreads&) = delete;

 private:
  int previous_;
};

// Runs body(i, thread) for i in [0, n), dynamically scheduled; thread < threads.count. Which thread takes an
// item is not fixed, so an item must not depend on it. The first exception of a body is rethrown here.
void ParallelFor(const Threads& threads, int64_t n,
                 const std::function<void(int64_t item, int thread)>& body);

}  // namespace mvd
