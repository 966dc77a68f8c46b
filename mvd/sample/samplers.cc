#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "mvd/sample/denoiser.h"

namespace mvd {
namespace {

// Strictly falling, but for a last step of no length, which a schedule may end with.
void CheckSigmas(std::span<const float> sigmas) {
  MVD_CHECK_GE(sigmas.size(), size_t{2});
  for (size_t i = 1; i < sigmas.size(); ++i) {
    const bool falls = sigmas[i] < sigmas[i - 1] || (sigmas[i] == sigmas[i - 1] && i + 1 == sigmas.size());
    MVD_CHECK(falls && sigmas[i] >= 0, "sigmas[", i, "] = ", sigmas[i], " after ", sigmas[i - 1]);
  }
}

void BeforeStep(const SampleHooks& hooks) {
  if (hooks.cancel) hooks.cancel->Poll();
}

void AfterStep(const SampleHooks& hooks, size_t step, size_t steps) {
  if (hooks.progress) hooks.progress("denoise", double(step + 1) / double(steps));
}

}  // namespace

void SampleEuler(const Denoiser& denoiser, std::span<const float> sigmas, std::span<float> x,
                 const SampleHooks& hooks) {
  CheckSigmas(sigmas);
  const size_t steps = sigmas.size() - 1;
  std::vector<float> denoised(x.size());
  for (size_t i = 0; i < steps; ++i) {
    BeforeStep(hooks);
    denoiser(x, sigmas[i], denoised);
    // x + (s' - s)(x - D)/s as a weighted mean of x and D: exactly D at s' = 0.
    const double keep = double(sigmas[i + 1]) / sigmas[i];
    for (size_t j = 0; j < x.size(); ++j) x[j] = float(keep * x[j] + (1 - keep) * denoised[j]);
    AfterStep(hooks, i, steps);
  }
}

void SampleHeun(const Denoiser& denoiser, std::span<const float> sigmas, std::span<float> x,
                const SampleHooks& hooks) {
  CheckSigmas(sigmas);
  const size_t steps = sigmas.size() - 1;
  std::vector<float> denoised(x.size()), predicted(x.size()), corrected(x.size());
  for (size_t i = 0; i < steps; ++i) {
    BeforeStep(hooks);
    const double sigma = sigmas[i], next = sigmas[i + 1], keep = next / sigma;
    denoiser(x, sigma, denoised);
    for (size_t j = 0; j < x.size(); ++j) predicted[j] = float(keep * x[j] + (1 - keep) * denoised[j]);
    if (next == 0) {  // no slope exists at 0: a plain Euler step
      std::copy(predicted.begin(), predicted.end(), x.begin());
    } else {
      denoiser(predicted, next, corrected);
      for (size_t j = 0; j < x.size(); ++j) {
        const double slope = (double(x[j]) - denoised[j]) / sigma;
        const double slope_next = (double(predicted[j]) - corrected[j]) / next;
        x[j] = float(x[j] + (next - sigma) * (slope + slope_next) / 2);
      }
    }
    AfterStep(hooks, i, steps);
  }
}

// The paper's x_i = (sigma_i/sigma_{i-1}) x - alpha (e^{-h} - 1) D with alpha = 1, lambda = -ln sigma, thus
// e^{-h} = sigma_i/sigma_{i-1}; D is extrapolated to the step's middle from the last two evaluations.
void SampleDpmpp2M(const Denoiser& denoiser, std::span<const float> sigmas, std::span<float> x,
                   const SampleHooks& hooks) {
  CheckSigmas(sigmas);
  const size_t steps = sigmas.size() - 1;
  std::vector<float> denoised(x.size()), previous(x.size());
  for (size_t i = 0; i < steps; ++i) {
    BeforeStep(hooks);
    denoiser(x, sigmas[i], denoised);
    const double keep = double(sigmas[i + 1]) / sigmas[i];
    double extrapolate = 0;  // 1/(2r), r = h_{i-1}/h_i; none in the first step, none in an infinite one
    if (i > 0 && keep > 0) {
      extrapolate = std::log(keep) / (2 * std::log(double(sigmas[i]) / sigmas[i - 1]));
    }
    for (size_t j = 0; j < x.size(); ++j) {
      const double d = denoised[j] + extrapolate * (double(denoised[j]) - previous[j]);
      x[j] = float(keep * x[j] + (1 - keep) * d);
    }
    std::swap(denoised, previous);
    AfterStep(hooks, i, steps);
  }
}

void SampleOneStep(const Denoiser& denoiser, std::span<const float> sigmas, std::span<float> x,
                   const SampleHooks& hooks) {
  CheckSigmas(sigmas);
  if (sigmas.size() != 2) {
    ThrowUsage("sampler one_step: found ", sigmas.size() - 1, " inference steps, expected 1");
  }
  BeforeStep(hooks);
  std::vector<float> denoised(x.size());
  denoiser(x, sigmas[0], denoised);
  std::copy(denoised.begin(), denoised.end(), x.begin());
  AfterStep(hooks, 0, 1);
}

std::span<const Sampler> Samplers() {
  static constexpr Sampler kSamplers[] = {
      {"euler", "order 1, what diffusers runs for SVD", 1, SampleEuler},
      {"heun", "order 2, two evaluations a step", 2, SampleHeun},
      {"dpmpp_2m", "order 2, multistep", 1, SampleDpmpp2M},
      {"one_step", "the denoised sample at sigma_max, for models trained to need no more", 1, SampleOneStep},
  };
  return kSamplers;
}

const Sampler& FindSampler(std::string_view name) {
  std::string names;
  for (const Sampler& sampler : Samplers()) {
    if (sampler.name == name) return sampler;
    names += (names.empty() ? "" : ", ") + std::string(sampler.name);
  }
  ThrowUsage("sampler: found \"", name, "\", expected one of ", names);
}

}  // namespace mvd
