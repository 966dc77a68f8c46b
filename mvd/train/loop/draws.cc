#include "mvd/train/loop/draws.h"

#include <cmath>

#include "mvd/base/rng.h"

namespace mvd {
namespace {

constexpr uint64_t kStreams = 4;  // a sample's levels and its kinds of noise

double Uniform(uint32_t high, uint32_t low) { return double((uint64_t(high) << 32 | low) >> 11) * 0x1p-53; }

}  // namespace

SampleDraws DrawSample(uint64_t seed, uint64_t sample, const DrawOptions& o) {
  const uint64_t stream = sample * kStreams;
  std::array<float, 2> normal;
  PhiloxNormal(seed, stream, 0, normal);
  // The normals took counter 0 of this stream.
  const auto at = [&](uint32_t counter) {
    return Philox4x32({counter, 0, uint32_t(stream), uint32_t(stream >> 32)},
                      {uint32_t(seed), uint32_t(seed >> 32)});
  };
  const auto words = at(1), levels = at(2);
  return {.sigma = std::exp(o.p_mean + o.p_std * double(normal[0])),
          .sigma_condition = std::exp(o.aug_mean + o.aug_std * double(normal[1])),
          .drop_image = Uniform(words[0], words[1]) < o.drop_image,
          .drop_latent = Uniform(words[2], words[3]) < o.drop_latent,
          .generator_level = Uniform(levels[0], levels[1]),
          .discriminator_level = Uniform(levels[2], levels[3])};
}

std::array<double, 4> DrawUniforms(uint64_t seed, uint64_t sample) {
  const uint64_t stream = sample * kStreams;
  std::array<double, 4> uniforms;
  for (uint32_t i = 0; i < uniforms.size(); ++i) {  // behind the counters that DrawSample takes
    const auto words = Philox4x32({3 + i, 0, uint32_t(stream), uint32_t(stream >> 32)},
                                  {uint32_t(seed), uint32_t(seed >> 32)});
    uniforms[i] = Uniform(words[0], words[1]);
  }
  return uniforms;
}

void DrawNoise(uint64_t seed, uint64_t sample, NoiseKind kind, std::span<float> out) {
  PhiloxNormal(seed, sample * kStreams + uint64_t(kind), 0, out);
}

}  // namespace mvd
