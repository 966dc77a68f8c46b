#include "mvd/base/parallel.h"

#include <omp.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <optional>

#include "mvd/base/thread_limits.h"

namespace mvd {

namespace {
// Turns of an idle thread's loop before it sleeps, each some 10 to 40 ns: longer than most gaps between two
// loops of one network, far shorter than a time slice.
constexpr char kSpins[] = "1000";

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

void WaitBriefly(char** argv) {
  constexpr char kPolicy[] = "OMP_WAIT_POLICY", kSpin[] = "GOMP_SPINCOUNT";
  if (std::getenv(kPolicy) || std::getenv(kSpin)) return;
  // By its own name, so that it is listed under it.
  char path[4096];
  const ssize_t length = ::readlink("/proc/self/exe", path, sizeof(path) - 1);
  if (length <= 0) return;
  path[length] = '\0';
  if (::setenv(kSpin, kSpins, 1) != 0) return;
  ::execv(path, argv);
  ::unsetenv(kSpin);  // go on as we are
}

ScopedThreads::ScopedThreads(const Threads& threads) : previous_(omp_get_max_threads()) {
  const int count = StartableThreads(threads.count);
  omp_set_num_threads(count);
  if (threads.pin) PinThreads(count);
}

ScopedThreads::~ScopedThreads() { omp_set_num_threads(previous_); }

void ParallelFor(const Threads& threads, int64_t n, const std::function<void(int64_t, int)>& body) {
  const int count = StartableThreads(int(std::min<int64_t>(threads.count, n)));
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
