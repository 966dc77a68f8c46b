// Elapsed time, for progress, reports and benchmarks.
#pragma once

#include <chrono>

namespace mvd {

class Stopwatch {
 public:
  double Seconds() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }

 private:
  using Clock = std::chrono::steady_clock;  // never set back
  Clock::time_point start_ = Clock::now();
};

}  // namespace mvd
