// What threads a process may have, whatever starts them.
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "mvd/base/parallel.h"
#include "mvd/base/thread_limits.h"

namespace mvd {
namespace {

// Starts up to `count` threads that are alive together, and ends them.
int StartTogether(int count) {
  std::mutex mutex;
  std::condition_variable changed;
  bool done = false;
  std::vector<std::jthread> threads;
  try {
    threads.reserve(size_t(count));
    while (int(threads.size()) < count) {
      threads.emplace_back([&] {
        std::unique_lock lock(mutex);
        changed.wait(lock, [&] { return done; });
      });
    }
  } catch (const std::system_error&) {  // no more can be started
  } catch (const std::bad_alloc&) {
  }
  {
    const std::lock_guard lock(mutex);
    done = true;
  }
  changed.notify_all();
  return int(threads.size());
}

}  // namespace

namespace {
// More never help, and a thousand on a few processors wait for each other for hours.
int SensibleThreads() { return std::clamp(4 * HardwareThreads(), 16, kMaxThreads); }
}  // namespace

int HardwareThreads() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return std::max(1, CPU_COUNT(&set));
  return std::max(1, int(std::thread::hardware_concurrency()));
}

int StartableThreads(int wanted) {
  static std::mutex mutex;
  static std::atomic<int> known = 1;                 // so many have been seen alive
  static std::atomic<int> most = SensibleThreads();  // no more could be started
  wanted = std::clamp(wanted, 1, most.load());
  if (wanted <= known) return wanted;
  const std::lock_guard lock(mutex);
  if (wanted > known) {
    const int started = 1 + StartTogether(wanted - 1);
    if (started < wanted) most = started;
    known = started;
  }
  return std::min(wanted, known.load());
}

}  // namespace mvd
