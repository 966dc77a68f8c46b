#include "mvd/base/thread_limits.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <atomic>
#include <limits>

#include "mvd/base/parallel.h"

namespace mvd {
namespace {

TEST(ThreadLimitsTest, NeverMoreThanCanBe) {
  EXPECT_EQ(StartableThreads(-5), 1);
  EXPECT_EQ(StartableThreads(0), 1);
  EXPECT_EQ(StartableThreads(3), 3);
  EXPECT_LE(StartableThreads(std::numeric_limits<int>::max()), kMaxThreads);
  EXPECT_GE(StartableThreads(std::numeric_limits<int>::max()), 3);
}

// OpenMP ended the program here.
TEST(ThreadLimitsTest, LoopsKeepToThem) {
  std::atomic<int> most = 0, runs = 0;
  ParallelFor({std::numeric_limits<int>::max()}, 50'000, [&](int64_t, int thread) {
    ++runs;
    for (int seen = most; thread > seen && !most.compare_exchange_weak(seen, thread);) {
    }
  });
  EXPECT_EQ(runs, 50'000);
  EXPECT_LT(most, kMaxThreads);
}

TEST(ThreadLimitsDeathTest, AddressSpaceForFewThreads) {
  EXPECT_EXIT(
      {
        // Each thread's stack is 8 MB of address space.
        rlimit limit{};
        limit.rlim_cur = limit.rlim_max = 512 << 20;
        setrlimit(RLIMIT_AS, &limit);
        const int threads = StartableThreads(kMaxThreads);
        std::exit(threads >= 1 && threads < 200 ? 0 : 1);
      },
      testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace mvd
