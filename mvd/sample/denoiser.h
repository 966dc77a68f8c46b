// Samplers. All they know of a network is a denoiser D(x; sigma) (EDM, arXiv 2206.00364, Eq. 7); each solves
// the probability-flow ODE dx/dsigma = (x - D(x; sigma)) / sigma (EDM Eq. 3) along given noise levels.
#pragma once

#include <functional>
#include <span>
#include <string_view>

#include "mvd/base/cancel.h"

namespace mvd {

// Writes the denoised sample; `x` and `denoised` have one size and do not overlap.
using Denoiser = std::function<void(std::span<const float> x, double sigma, std::span<float> denoised)>;

struct SampleHooks {
  const CancelToken* cancel = nullptr;  // polled before every step
  Progress progress;                    // called as ("denoise", share) after every step
};

// x: in, the sample at sigmas.front(); out, at sigmas.back(). `sigmas` falls strictly and may end in 0; a
// step to 0 returns the denoised sample itself, since forming it from x and a slope cancels large numbers.
// All arithmetic is double, the state f32.
using SampleFunction = void(const Denoiser& denoiser, std::span<const float> sigmas, std::span<float> x,
                            const SampleHooks& hooks);

SampleFunction SampleEuler;  // order 1: EDM Algorithm 1 without its correction; diffusers' default for SVD
SampleFunction SampleHeun;   // order 2: EDM Algorithm 1 without churn; two evaluations a step
SampleFunction
    SampleDpmpp2M;  // order 2, multistep: DPM-Solver++(2M) (arXiv 2211.01095, Algorithm 2) in sigma
SampleFunction SampleOneStep;  // D(x; sigmas[0]): MobileVD's generator. A usage Error unless there is 1 step

struct Sampler {
  std::string_view name;  // the command line's spelling
  std::string_view help;
  int evaluations_per_step;
  SampleFunction* run;
};

std::span<const Sampler> Samplers();                // the one list
const Sampler& FindSampler(std::string_view name);  // a usage Error that lists the names

}  // namespace mvd
