#include "mvd/base/parallel.h"

#include <omp.h>
#include <sched.h>

#include <algorithm>
#include <exception>
#include <optional>

namespace mvd {

namespace {
// Binds each OpenMP thread to one processor of the process's own set.
void PinThreads(int count) {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0 || CPU_COUNT(&allowed) < count) return;
#pragma omp parallel num_threads(count)
  {
    int skip = omp_get_thread_num();
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (!CPU_ISSET(cpu, &allowed) || skip-- > 0) continue;
      cpu_set_t one;
      CPU_ZERO(&one);
      CPU_SET(cpu, &one);
      sched_setaffinity(0, sizeof(one), &one);
      break;
    }
  }
}
}  // namespace

ScopedThreads::ScopedThreads(const Threads& threads) : previous_(omp_get_max_threads()) {
  omp_set_num_threads(std::max(1, threads.count));
  if (threads.pin) PinThreads(threads.count);
}

ScopedThreads::~ScopedThreads() { omp_set_num_threads(previous_); }

void ParallelFor(const Threads& threads, int64_t n, const std::function<void(int64_t, int)>& body) {
  const int count = int(std::min<int64_t>(std::max(1, threads.count), n));
  // A loop without a team must not leave its processors to a library inside it, which would share out sums.
  std::optional<ScopedThreads> alone;
  if (count <= 1) alone.emplace(Threads{1});
  std::exception_ptr failure;
#pragma omp parallel for schedule(dynamic, 1) num_threads(count) if (count > 1)
  for (int64_t i = 0; i < n; ++i) {
    try {
      body(i, omp_get_thread_num());
    } catch (...) {
#pragma omp critical(mvd_parallel_for)
      if (!failure) failure = std::current_exception();
    }
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace mvd
