// Stands for parallel.cc where the compiler has no OpenMP: each loop starts and ends its own threads.
#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "mvd/base/parallel.h"
#include "mvd/base/thread_limits.h"

namespace mvd {

ScopedThreads::ScopedThreads(const Threads&) : previous_(0) {}
ScopedThreads::~ScopedThreads() { (void)previous_; }

void WaitBriefly(char**) {}  // no thread waits

void ParallelFor(const Threads& threads, int64_t n, const std::function<void(int64_t, int)>& body) {
  std::atomic<int64_t> next{0};
  std::exception_ptr failure;
  std::mutex failure_mutex;
  const auto work = [&](int thread) {
    for (int64_t i; (i = next++) < n;) {
      try {
        body(i, thread);
      } catch (...) {
        const std::lock_guard lock(failure_mutex);
        if (!failure) failure = std::current_exception();
      }
    }
  };
  {
    std::vector<std::jthread> others;
    const int count = StartableThreads(int(std::min<int64_t>(threads.count, n)));
    for (int thread = 1; thread < count; ++thread) others.emplace_back(work, thread);
    work(0);
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace mvd
