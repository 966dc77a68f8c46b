// Every random number of a training step as a function of (seed, sample index): nothing is carried from step
// to step, so a run resumes exactly and does not depend on how samples are spread over processes.
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace mvd {

// How noise levels and dropped conditions are drawn. Defaults: SVD's image-to-video finetuning (arXiv
// 2311.15127, appendix D).
struct DrawOptions {
  double p_mean = 0.7, p_std = 1.6;            // ln sigma ~ N(p_mean, p_std^2)
  double aug_mean = -3.0, aug_std = 0.5;       // ln sigma_c ~ N(...) of the noise on the conditioning picture
  double drop_image = 0.1, drop_latent = 0.1;  // chances, independent, that a condition becomes zeros
};

struct SampleDraws {
  double sigma = 1;            // of the latents' noise
  double sigma_condition = 0;  // of the picture's noise, in units of pixels in [-1,1]
  bool drop_image = false;     // the image encoder's embedding
  bool drop_latent = false;    // the first frame's latents
  // Adversarial training: quantiles, uniform in [0,1), of the generator's and the discriminator's noise.
  double generator_level = 0, discriminator_level = 0;
};

SampleDraws DrawSample(uint64_t seed, uint64_t sample, const DrawOptions& options);

// More numbers of (seed, sample), uniform in [0,1).
std::array<double, 4> DrawUniforms(uint64_t seed, uint64_t sample);

enum class NoiseKind { kLatents = 1, kPicture = 2, kDiscriminator = 3 };

// Standard normals, a function of (seed, sample, kind).
void DrawNoise(uint64_t seed, uint64_t sample, NoiseKind kind, std::span<float> out);

// Indices from here on belong to samples that are never trained on (held-out losses, previews).
inline constexpr uint64_t kHeldOutSamples = uint64_t{1} << 56;

}  // namespace mvd
