// Which levels there are, what each needs of the processor and system, and what oneDNN may use beside it.
#include "mvd/cpu/isa.h"

#include <dnnl.hpp>
#include <string>

#include "mvd/base/error.h"
#include "mvd/cpu/kernels/levels.h"

#if defined(__x86_64__) && defined(__linux__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace mvd {
namespace {

#if defined(__x86_64__)
const kernels::Level& KernelLevel(std::string_view name) {
  for (const kernels::Level& level : kernels::Levels()) {
    if (level.name == name) return level;
  }
  MVD_CHECK(false, "no kernels of level ", name);
  return kernels::Levels()[0];
}
#endif

// A level is one name of kernels/levels.h.
bool Scalar() { return true; }
const kernels::KernelTable& ScalarKernels() { return kernels::Levels()[0].table(); }

#if defined(__x86_64__)
bool Avx2() { return KernelLevel("avx2").supported(); }
bool Avx512() { return KernelLevel("avx512").supported(); }
bool Avx512Bf16() { return KernelLevel("avx512_bf16").supported(); }
const kernels::KernelTable& Avx2Kernels() { return KernelLevel("avx2").table(); }
const kernels::KernelTable& Avx512Kernels() { return KernelLevel("avx512").table(); }
const kernels::KernelTable& Avx512Bf16Kernels() { return KernelLevel("avx512_bf16").table(); }

// Tiles of bf16 (CPUID leaf 7, edx bits 22 and 24), saved by the operating system (XCR0 bits 17 and 18),
// which must also grant this process their 8 KB of state (Linux 5.16).
bool Amx() {
#if defined(__linux__)
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (!Avx512Bf16() || !__get_cpuid_count(7, 0, &a, &b, &c, &d)) return false;
  constexpr unsigned kTiles = 1u << 22 | 1u << 24;
  if ((d & kTiles) != kTiles) return false;
  unsigned low = 0, high = 0;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));  // AVX2's test has proved that xgetbv is there
  constexpr unsigned kStates = 3u << 17;
  if ((low & kStates) != kStates) return false;
  constexpr long kRequestPermission = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
  return false;
#endif
}
#endif

using dnnl::cpu_isa;

constexpr IsaLevel kLevels[] = {
    {"scalar", Scalar, ScalarKernels, int(cpu_isa::sse41), false},
#if defined(__x86_64__)
    {"avx2", Avx2, Avx2Kernels, int(cpu_isa::avx2), false},
    {"avx512", Avx512, Avx512Kernels, int(cpu_isa::avx512_core), true},  // bf16 by widening
    {"avx512_bf16", Avx512Bf16, Avx512Bf16Kernels, int(cpu_isa::avx512_core_bf16), true},
    {"amx", Amx, Avx512Bf16Kernels, int(cpu_isa::avx512_core_amx), true},
#endif
};

}  // namespace

// Levels are sets of bits, each holding those below it.
bool OneDnnAllows(const IsaLevel& level) {
  return (int(dnnl::get_effective_cpu_isa()) & level.onednn) == level.onednn;
}

void LimitOneDnn(const IsaLevel& level) { dnnl::set_max_cpu_isa(cpu_isa(level.onednn)); }

std::string OneDnnVersion() {
  const dnnl_version_t* version = dnnl_version();
  return StrCat(version->major, ".", version->minor, ".", version->patch);
}

std::span<const IsaLevel> IsaLevels() { return kLevels; }

const IsaLevel& FindIsa(std::string_view name) {
  const IsaLevel* best = nullptr;
  std::string names = "auto";
  for (const IsaLevel& level : kLevels) {
    if (level.name == name && !level.supported()) ThrowUsage("isa ", name, ": this processor lacks it");
    if (level.name == name && !OneDnnAllows(level))
      ThrowUsage("isa ", name, ": oneDNN is held to less, see ONEDNN_MAX_CPU_ISA");
    if (level.name == name || (name == "auto" && level.supported() && OneDnnAllows(level))) best = &level;
    names += ", " + std::string(level.name);
  }
  if (!best) ThrowUsage("isa ", name, ": unknown, expected one of ", names);
  return *best;
}

}  // namespace mvd
