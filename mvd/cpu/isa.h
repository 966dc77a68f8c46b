// The one table of instruction sets: name, what the processor must have, our kernels, oneDNN's limit.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "mvd/cpu/kernels/kernels.h"

namespace mvd {

struct IsaLevel {
  std::string_view name;  // "scalar", "avx2", "avx512", "avx512_bf16", "amx"
  bool (*supported)();    // by this processor and operating system
  const kernels::KernelTable& (*kernels)();
  int onednn;  // dnnl::cpu_isa this level allows
  bool bf16;   // oneDNN computes bf16 here
};

std::span<const IsaLevel> IsaLevels();  // in rising order; none in a build without oneDNN
// The level named, or the best one for "auto". Throws Error(kUsage) for an unknown name or one that this
// processor lacks or oneDNN is denied, and in a build without oneDNN.
const IsaLevel& FindIsa(std::string_view name);

// Holds oneDNN, too, to this level, for the life of the process: only before anything else has asked it to
// compute.
void LimitOneDnn(const IsaLevel& level);
// Whether oneDNN may use the level's instructions, which ONEDNN_MAX_CPU_ISA and LimitOneDnn can deny it.
bool OneDnnAllows(const IsaLevel& level);
std::string OneDnnVersion();  // "2.6.3"; empty in a build without it

}  // namespace mvd
