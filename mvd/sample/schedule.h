// Noise levels and timesteps of a sampling run, as diffusers' EulerDiscreteScheduler makes them from a model
// folder's scheduler_config.json.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace mvd {

// The keys and defaults of diffusers' EulerDiscreteScheduler: an absent key means the default here.
struct SchedulerConfig {
  int64_t num_train_timesteps = 1000;
  double beta_start = 0.0001;
  double beta_end = 0.02;
  std::string beta_schedule = "linear";       // or "scaled_linear"
  std::vector<float> trained_betas = {};      // not empty: replaces the three keys above
  std::string prediction_type = "epsilon";    // or "v_prediction", "sample"
  std::string interpolation_type = "linear";  // nothing else is supported
  bool use_karras_sigmas = false;
  bool use_exponential_sigmas = false;
  bool use_beta_sigmas = false;          // not supported
  std::optional<double> sigma_min = {};  // null: from the betas
  std::optional<double> sigma_max = {};
  std::string timestep_spacing = "linspace";  // or "leading", "trailing"
  std::string timestep_type = "discrete";     // or "continuous"
  int64_t steps_offset = 0;
  bool rescale_betas_zero_snr = false;     // not supported
  std::string final_sigmas_type = "zero";  // or "sigma_min"
  // No key of diffusers: the noise levels of a run of as many steps, where a model names them.
  std::vector<double> sigmas = {};
};

// The config that Stable Video Diffusion ships.
SchedulerConfig SvdSchedulerConfig();

struct Schedule {
  std::vector<float> sigmas;     // S + 1, falling (the last two may be equal); the last one is 0 unless
                                 // final_sigmas_type is "sigma_min"
  std::vector<float> timesteps;  // S: what the network is told at sigmas[i]
  float final_timestep = 0;      // the same at sigmas[S], where that is not 0: Heun's method asks there
  double init_noise_sigma = 1;   // standard deviation of the first sample
  std::string prediction_type;

  int64_t steps() const { return int64_t(timesteps.size()); }
};

// `steps` from 1 to kMaxSteps, else a usage Error. A value that is not supported or makes no sense is an
// Error of exit 3 that names `file` and the key.
inline constexpr int64_t kMaxSteps = 100'000;
Schedule MakeSchedule(const SchedulerConfig& config, int64_t steps,
                      const std::string& file = "scheduler_config.json");

// EDM Eq. 5 with rho = 7: `steps` levels from sigma_max down to sigma_min, no 0 appended. One step:
// sigma_max.
std::vector<double> KarrasSigmas(double sigma_min, double sigma_max, int64_t steps, double rho = 7);

// The timestep that belongs to sigmas[i] == sigma > 0. Samplers only ask at the schedule's own levels.
float TimestepOf(const Schedule& schedule, double sigma);

}  // namespace mvd
