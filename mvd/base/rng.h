// Random normals: a counter-based generator (Philox) whose draws do not depend on threads or on how a request
// is split, and one that repeats PyTorch's CPU draws so that seeds can be shared with diffusers.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <random>
#include <span>
#include <string_view>

namespace mvd {

// Philox4x32 with 10 rounds (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
std::array<uint32_t, 4> Philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);

// Writes elements [offset, offset + out.size()) of the standard normal sequence that (seed, stream) names.
// Two elements come of one counter by Box-Muller in double, so any split of a range gives the same values.
void PhiloxNormal(uint64_t seed, uint64_t stream, uint64_t offset, std::span<float> out);

// PyTorch's CPU generator: mt19937, seeded with the low 32 bits of the seed as torch.manual_seed does.
class TorchCpuGenerator {
 public:
  explicit TorchCpuGenerator(uint64_t seed) : engine_(uint32_t(seed)) {}

  // One torch.randn(n, dtype=float32) call. As there, the draws depend on how a request is split: below 16
  // elements PyTorch draws pairs in double and keeps the spare one, from 16 on it fills blocks of 16 in f32.
  // Agreement is not to the bit, about 1e-6: PyTorch's vectorised log, sin and cos round differently.
  void Normal(std::span<float> out);

 private:
  double Uniform53();
  float Uniform24();

  std::mt19937 engine_;
  std::optional<double> spare_;
};

enum class RngKind { kPhilox, kTorchCpu };

std::string_view Name(RngKind kind);  // "philox", "torch": the command line's spelling
std::optional<RngKind> ParseRngKind(std::string_view name);

// Sequential standard normals of either kind.
class Rng {
 public:
  Rng(RngKind kind, uint64_t seed) : kind_(kind), seed_(seed), torch_(seed) {}
  void Normal(std::span<float> out);

 private:
  RngKind kind_;
  uint64_t seed_;
  uint64_t drawn_ = 0;
  TorchCpuGenerator torch_;
};

}  // namespace mvd
