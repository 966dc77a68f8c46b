#include "mvd/base/process_memory.h"

#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <limits>

#include "mvd/base/error.h"

namespace mvd {
namespace {

// A line "Key:   123 kB" of a file under /proc, in bytes.
int64_t Field(const char* file, const std::string& key) {
  std::ifstream status(file);
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(key)) return std::stoll(line.substr(key.size())) * 1024;
  }
  return 0;
}

// The limit of the control group this process is in, version 2; none where the file says "max" or is absent.
int64_t ControlGroupBytes() {
  int64_t bytes = 0;
  std::ifstream file("/sys/fs/cgroup/memory.max");
  return file >> bytes ? bytes : std::numeric_limits<int64_t>::max();
}

}  // namespace

int64_t ResidentBytes() { return Field("/proc/self/status", "VmRSS:"); }
int64_t PeakResidentBytes() { return Field("/proc/self/status", "VmHWM:"); }
int64_t SystemMemoryBytes(const std::string& key) { return Field("/proc/meminfo", key); }

int64_t MachineBytes() {
  int64_t bytes = std::min(SystemMemoryBytes("MemTotal:"), ControlGroupBytes());
  rlimit limit{};
  if (::getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
    bytes = std::min(bytes, int64_t(std::min<rlim_t>(limit.rlim_cur, rlim_t(bytes))));
  return bytes;
}

int64_t AddressSpaceLeft() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
    return std::numeric_limits<int64_t>::max();
  const int64_t most = int64_t(std::min<rlim_t>(limit.rlim_cur, std::numeric_limits<int64_t>::max()));
  return std::max<int64_t>(most - Field("/proc/self/status", "VmSize:"), 0);
}

std::string FormatBytes(double bytes) {
  const char* units[] = {"B", "kB", "MB", "GB", "TB"};
  int unit = 0;
  while (bytes >= 1000 && unit < 4) bytes /= 1000, ++unit;
  char text[32];
  std::snprintf(text, sizeof(text), unit == 0 ? "%.0f %s" : "%.3g %s", bytes, units[unit]);
  return text;
}

void CheckFitsMachine(int64_t needed, const std::string& what) {
  const int64_t have = MachineBytes();
  if (have <= 0 || needed <= have) return;
  throw Error(Exit::kOutOfMemory, "",
              StrCat(what, " needs ", FormatBytes(double(needed)), " of memory, this machine has ",
                     FormatBytes(double(have)), ": take a smaller size or fewer frames"));
}

}  // namespace mvd
