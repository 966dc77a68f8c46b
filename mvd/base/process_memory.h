// What memory this process holds, and what the machine has.
#pragma once

#include <cstdint>
#include <string>

namespace mvd {

int64_t ResidentBytes();
// The most this process has held so far; resets only with the process.
int64_t PeakResidentBytes();

// A line of /proc/meminfo in bytes, such as "MemAvailable:"; 0 where it is absent.
int64_t SystemMemoryBytes(const std::string& key);
// What this process could ever hold: the machine's memory, or less where a control group or `ulimit -v`
// allows less.
int64_t MachineBytes();

// What `ulimit -v` leaves this process beyond what it has mapped; the largest number where there is no limit.
int64_t AddressSpaceLeft();

std::string FormatBytes(double bytes);  // "3.05 GB"

// Error(kOutOfMemory) that names both amounts where `needed` bytes are more than the machine could ever hold.
// `what` begins the sentence: "the unet at 64 frames of 8192x8192".
void CheckFitsMachine(int64_t needed, const std::string& what);

}  // namespace mvd
