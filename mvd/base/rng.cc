#include "mvd/base/rng.h"

#include <cmath>
#include <numbers>

namespace mvd {
namespace {

struct Pair {
  double first, second;
};

// Two standard normals of two 64-bit words; the radius takes a uniform in (0, 1] so that its logarithm
// exists.
Pair BoxMuller(uint64_t a, uint64_t b) {
  const double u = double((a >> 11) + 1) * 0x1p-53;
  const double angle = 2 * std::numbers::pi * double(b >> 11) * 0x1p-53;
  const double radius = std::sqrt(-2 * std::log(u));
  return {radius * std::cos(angle), radius * std::sin(angle)};
}

Pair PhiloxPair(uint64_t seed, uint64_t stream, uint64_t index) {
  const auto words =
      Philox4x32({uint32_t(index), uint32_t(index >> 32), uint32_t(stream), uint32_t(stream >> 32)},
                 {uint32_t(seed), uint32_t(seed >> 32)});
  return BoxMuller(uint64_t(words[0]) << 32 | words[1], uint64_t(words[2]) << 32 | words[3]);
}

// Elements PyTorch's CPU kernel fills at a time: 8 radii, then 8 angles.
constexpr size_t kTorchBlock = 16;

// Turns 16 uniforms into normals in place. In f32 as there, so that the roundings are nearly the same.
void TorchBoxMuller(float* block) {
  for (size_t j = 0; j < kTorchBlock / 2; ++j) {
    const float u = 1 - block[j];  // (0, 1]
    const float angle = float(2 * std::numbers::pi) * block[j + kTorchBlock / 2];
    const float radius = std::sqrt(-2 * std::log(u));
    block[j] = radius * std::cos(angle);
    block[j + kTorchBlock / 2] = radius * std::sin(angle);
  }
}

}  // namespace

std::array<uint32_t, 4> Philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key) {
  constexpr int kRounds = 10;
  constexpr uint64_t kMultiplier0 = 0xD2511F53, kMultiplier1 = 0xCD9E8D57;
  constexpr uint32_t kWeyl0 = 0x9E3779B9, kWeyl1 = 0xBB67AE85;
  for (int round = 0; round < kRounds; ++round) {
    const uint64_t p0 = kMultiplier0 * counter[0], p1 = kMultiplier1 * counter[2];
    counter = {uint32_t(p1 >> 32) ^ counter[1] ^ key[0], uint32_t(p1),
               uint32_t(p0 >> 32) ^ counter[3] ^ key[1], uint32_t(p0)};
    key = {key[0] + kWeyl0, key[1] + kWeyl1};
  }
  return counter;
}

void PhiloxNormal(uint64_t seed, uint64_t stream, uint64_t offset, std::span<float> out) {
  size_t i = 0;
  while (i < out.size()) {
    const uint64_t element = offset + i;
    const Pair pair = PhiloxPair(seed, stream, element / 2);
    if (element % 2 == 0) {
      out[i++] = float(pair.first);
      if (i == out.size()) return;
    }
    out[i++] = float(pair.second);
  }
}

double TorchCpuGenerator::Uniform53() {
  const uint64_t high = engine_();
  const uint64_t low = engine_();
  return double((high << 32 | low) & ((uint64_t{1} << 53) - 1)) * 0x1p-53;
}

float TorchCpuGenerator::Uniform24() { return float(uint32_t(engine_()) & ((1u << 24) - 1)) * 0x1p-24f; }

void TorchCpuGenerator::Normal(std::span<float> out) {
  if (out.size() < kTorchBlock) {
    for (float& value : out) {
      if (spare_) {
        value = float(*spare_);
        spare_.reset();
        continue;
      }
      const double turn = Uniform53();
      const double radius = std::sqrt(-2 * std::log1p(-Uniform53()));
      spare_ = radius * std::sin(2 * std::numbers::pi * turn);
      value = float(radius * std::cos(2 * std::numbers::pi * turn));
    }
    return;
  }
  for (float& value : out) value = Uniform24();
  for (size_t i = 0; i + kTorchBlock <= out.size(); i += kTorchBlock) TorchBoxMuller(&out[i]);
  if (out.size() % kTorchBlock != 0) {
    // The last 16 elements are drawn anew, those that a whole block has already made among them.
    const std::span<float> tail = out.last(kTorchBlock);
    for (float& value : tail) value = Uniform24();
    TorchBoxMuller(tail.data());
  }
}

std::string_view Name(RngKind kind) { return kind == RngKind::kPhilox ? "philox" : "torch"; }

std::optional<RngKind> ParseRngKind(std::string_view name) {
  for (RngKind kind : {RngKind::kPhilox, RngKind::kTorchCpu}) {
    if (name == Name(kind)) return kind;
  }
  return std::nullopt;
}

void Rng::Normal(std::span<float> out) {
  if (kind_ == RngKind::kTorchCpu) {
    torch_.Normal(out);
    return;
  }
  PhiloxNormal(seed_, /*stream=*/0, drawn_, out);
  drawn_ += out.size();
}

}  // namespace mvd
