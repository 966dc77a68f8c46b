// Which levels were compiled in, and which of them this processor runs.
#pragma once

#include <span>
#include <string_view>

#include "mvd/cpu/kernels/kernels.h"

namespace mvd::kernels {

struct Level {
  std::string_view name;  // "scalar", "avx2", "avx512", "avx512_bf16"
  bool (*supported)();
  const KernelTable& (*table)();
};

std::span<const Level> Levels();  // in rising order; scalar, which every processor runs, first

}  // namespace mvd::kernels
