// The levels as a table. Compiled for the plain processor: this runs before anything is known of it.
#include "mvd/cpu/kernels/levels.h"

namespace mvd::kernels {

namespace scalar {
const KernelTable& Table();
}
#if defined(__x86_64__)
namespace avx2 {
const KernelTable& Table();
}
namespace avx512 {
const KernelTable& Table();
}
namespace avx512_bf16 {
const KernelTable& Table();
}
#endif

namespace {

bool Always() { return true; }
#if defined(__x86_64__)
// The compiler's runtime also asks the operating system whether it saves the registers.
bool Avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
bool Avx512() {
  return Avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
}
bool Avx512Bf16() { return Avx512() && __builtin_cpu_supports("avx512bf16"); }
#endif

constexpr Level kLevels[] = {
    {"scalar", Always, scalar::Table},
#if defined(__x86_64__)
    {"avx2", Avx2, avx2::Table},
    {"avx512", Avx512, avx512::Table},
    {"avx512_bf16", Avx512Bf16, avx512_bf16::Table},
#endif
};

}  // namespace

std::span<const Level> Levels() { return kLevels; }

}  // namespace mvd::kernels
