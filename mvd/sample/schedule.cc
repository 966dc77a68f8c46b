#include "mvd/sample/schedule.h"

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <string_view>

#include "mvd/base/error.h"

namespace mvd {
namespace {

void ExpectOneOf(const std::string& file, const char* key, const std::string& value,
                 std::initializer_list<std::string_view> expected) {
  std::string names;
  for (std::string_view name : expected) {
    if (value == name) return;
    names += (names.empty() ? "\"" : ", \"") + std::string(name) + "\"";
  }
  ThrowBadInput(file, key, ": found \"", value, "\", expected ", expected.size() > 1 ? "one of " : "", names);
}

void CheckSigmaRange(const SchedulerConfig& config, const std::string& file) {
  // SVD has 0.002 and 700; from here on the samples' squares would leave f32.
  constexpr double kLeast = 1e-6, kMost = 1e6;
  const auto in_range = [&](const char* key, const std::optional<double>& sigma) {
    if (sigma && !(*sigma >= kLeast && *sigma <= kMost))
      ThrowBadInput(file, key, ": found ", *sigma, ", expected ", kLeast, " to ", kMost);
  };
  in_range("sigma_min", config.sigma_min);
  in_range("sigma_max", config.sigma_max);
  if (config.sigma_min && config.sigma_max && *config.sigma_min >= *config.sigma_max) {
    ThrowBadInput(file, "sigma_min: found ", *config.sigma_min, ", expected less than sigma_max, ",
                  *config.sigma_max);
  }
}

void CheckConfig(const SchedulerConfig& config, const std::string& file) {
  if (config.trained_betas.empty()) {
    ExpectOneOf(file, "beta_schedule", config.beta_schedule, {"linear", "scaled_linear"});
    if (!(config.beta_start > 0 && config.beta_start <= config.beta_end && config.beta_end < 1)) {
      ThrowBadInput(file, "beta_start, beta_end: found ", config.beta_start, ", ", config.beta_end,
                    ", expected 0 < beta_start <= beta_end < 1");
    }
    constexpr int64_t kMost = 1'000'000;  // no training uses more; a table of this size is still quick
    if (config.num_train_timesteps < 2 || config.num_train_timesteps > kMost) {
      ThrowBadInput(file, "num_train_timesteps: found ", config.num_train_timesteps, ", expected 2 to ",
                    kMost);
    }
  } else {
    const auto inside = [](float beta) { return beta > 0 && beta < 1; };
    if (int64_t(config.trained_betas.size()) != config.num_train_timesteps ||
        config.num_train_timesteps < 2 ||
        !std::all_of(config.trained_betas.begin(), config.trained_betas.end(), inside)) {
      ThrowBadInput(file, "trained_betas: expected num_train_timesteps (", config.num_train_timesteps,
                    ", at least 2) values between 0 and 1");
    }
  }
  ExpectOneOf(file, "prediction_type", config.prediction_type, {"v_prediction", "epsilon", "sample"});
  ExpectOneOf(file, "interpolation_type", config.interpolation_type, {"linear"});
  ExpectOneOf(file, "timestep_spacing", config.timestep_spacing, {"linspace", "leading", "trailing"});
  ExpectOneOf(file, "timestep_type", config.timestep_type, {"discrete", "continuous"});
  ExpectOneOf(file, "final_sigmas_type", config.final_sigmas_type, {"zero", "sigma_min"});
  if (config.use_beta_sigmas) ThrowBadInput(file, "use_beta_sigmas: found true, expected false");
  if (config.rescale_betas_zero_snr)
    ThrowBadInput(file, "rescale_betas_zero_snr: found true, expected false");
  if (config.use_karras_sigmas && config.use_exponential_sigmas) {
    ThrowBadInput(file, "use_karras_sigmas: found true beside use_exponential_sigmas, expected one of them");
  }
  if (config.steps_offset < 0 || config.steps_offset > config.num_train_timesteps) {
    ThrowBadInput(file, "steps_offset: found ", config.steps_offset, ", expected 0 to num_train_timesteps, ",
                  config.num_train_timesteps);
  }
  CheckSigmaRange(config, file);
}

// In f32 as diffusers: 1 - beta rounds to f32 next, and for the smallest betas that rounding is 1e-5 of the
// resulting sigma, so it has to be the same one.
std::vector<float> LinspaceF32(float start, float end, int64_t count) {
  const float step = (end - start) / float(count - 1);
  std::vector<float> values(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) values[size_t(i)] = start + step * float(i);
  return values;
}

std::vector<float> Betas(const SchedulerConfig& config) {
  if (!config.trained_betas.empty()) return config.trained_betas;
  if (config.beta_schedule == "linear") {
    return LinspaceF32(float(config.beta_start), float(config.beta_end), config.num_train_timesteps);
  }
  std::vector<float> betas = LinspaceF32(float(std::sqrt(config.beta_start)),
                                         float(std::sqrt(config.beta_end)), config.num_train_timesteps);
  for (float& beta : betas) beta *= beta;
  return betas;
}

// sigma_t = sqrt((1 - abar_t)/abar_t), abar the running product of 1 - beta: f32 at every step but the
// product, as in diffusers. Rises with t.
std::vector<float> TrainSigmas(const SchedulerConfig& config) {
  std::vector<float> sigmas = Betas(config);
  double product = 1;
  for (float& sigma : sigmas) {
    product *= double(1.0f - sigma);
    const float abar = float(product);
    sigma = std::sqrt((1.0f - abar) / abar);
  }
  return sigmas;
}

// Falling positions in [0, num_train_timesteps), "Common diffusion noise schedules and sample steps are
// flawed" (arXiv 2305.08891), Table 2.
std::vector<float> SpacedTimesteps(const SchedulerConfig& config, int64_t steps) {
  const int64_t total = config.num_train_timesteps;
  std::vector<float> timesteps(static_cast<size_t>(steps));
  for (int64_t i = 0; i < steps; ++i) {
    double t = 0;
    if (config.timestep_spacing == "linspace") {
      t = steps > 1 ? double(total - 1) / double(steps - 1) * double(steps - 1 - i) : 0;
    } else if (config.timestep_spacing == "leading") {
      t = double((steps - 1 - i) * (total / steps) + config.steps_offset);
    } else {
      t = std::nearbyint(double(total) - double(i) * (double(total) / double(steps))) - 1;
    }
    timesteps[size_t(i)] = float(t);
  }
  return timesteps;
}

// Between the points (0, y[0]), (1, y[1]), ...; constant beyond both ends.
double Interpolate(std::span<const float> y, double at) {
  if (at <= 0) return y.front();
  if (at >= double(y.size() - 1)) return y.back();
  const size_t i = size_t(at);
  return y[i] + (double(y[i + 1]) - y[i]) * (at - double(i));
}

// The position whose training sigma is `sigma`, linear in ln sigma, kept inside the table.
double TrainPosition(std::span<const float> log_sigmas, double sigma) {
  const double value = std::log(std::max(sigma, 1e-10));
  const auto above = std::upper_bound(log_sigmas.begin(), log_sigmas.end(), value,
                                      [](double v, float entry) { return v < entry; });
  const ptrdiff_t last = ptrdiff_t(log_sigmas.size()) - 2;
  const ptrdiff_t low = std::clamp<ptrdiff_t>(above - log_sigmas.begin() - 1, 0, last);
  const double from = log_sigmas[size_t(low)], to = log_sigmas[size_t(low) + 1];
  return double(low) + std::clamp((value - from) / (to - from), 0.0, 1.0);
}

std::vector<double> ExponentialSigmas(double sigma_min, double sigma_max, int64_t steps) {
  std::vector<double> sigmas(size_t(steps), sigma_max);
  for (int64_t i = 1; i < steps; ++i) {
    sigmas[size_t(i)] = sigma_max * std::pow(sigma_min / sigma_max, double(i) / double(steps - 1));
  }
  return sigmas;
}

// A last step of no length is legal: "sigma_min" repeats the lowest level where the schedule already ends
// there.
void CheckFalls(const Schedule& schedule, const SchedulerConfig& config, const std::string& file) {
  const std::vector<float>& sigmas = schedule.sigmas;
  for (size_t i = 1; i < sigmas.size(); ++i) {
    if (sigmas[i] < sigmas[i - 1] || (sigmas[i] == sigmas[i - 1] && i + 1 == sigmas.size())) continue;
    if (schedule.steps() > config.num_train_timesteps) {
      ThrowUsage("num_inference_steps: found ", schedule.steps(),
                 ", expected at most num_train_timesteps of ", file, ", ", config.num_train_timesteps);
    }
    ThrowBadInput(file, "sigma_min, sigma_max, final_sigmas_type: found noise levels ", sigmas[i - 1], ", ",
                  sigmas[i], " in ", schedule.steps(), " steps, expected falling ones");
  }
}

}  // namespace

SchedulerConfig SvdSchedulerConfig() {
  return {.beta_start = 0.00085,
          .beta_end = 0.012,
          .beta_schedule = "scaled_linear",
          .prediction_type = "v_prediction",
          .use_karras_sigmas = true,
          .sigma_min = 0.002,
          .sigma_max = 700,
          .timestep_spacing = "leading",
          .timestep_type = "continuous",
          .steps_offset = 1};
}

std::vector<double> KarrasSigmas(double sigma_min, double sigma_max, int64_t steps, double rho) {
  const double low = std::pow(sigma_min, 1 / rho), high = std::pow(sigma_max, 1 / rho);
  std::vector<double> sigmas(size_t(steps), sigma_max);
  for (int64_t i = 1; i < steps; ++i) {
    sigmas[size_t(i)] = std::pow(high + double(i) / double(steps - 1) * (low - high), rho);
  }
  return sigmas;
}

Schedule MakeSchedule(const SchedulerConfig& config, int64_t steps, const std::string& file) {
  if (steps < 1 || steps > kMaxSteps)
    ThrowUsage("num_inference_steps: found ", steps, ", expected 1 to ", kMaxSteps);
  CheckConfig(config, file);
  const std::vector<float> train = TrainSigmas(config);

  Schedule schedule;
  schedule.prediction_type = config.prediction_type;
  schedule.timesteps = SpacedTimesteps(config, steps);
  std::vector<double> sigmas;
  for (float t : schedule.timesteps) sigmas.push_back(Interpolate(train, t));

  const bool named = int64_t(config.sigmas.size()) == steps;
  if (named || config.use_karras_sigmas || config.use_exponential_sigmas) {
    const double sigma_min = config.sigma_min.value_or(sigmas.back());
    const double sigma_max = config.sigma_max.value_or(sigmas.front());
    sigmas = named                      ? config.sigmas
             : config.use_karras_sigmas ? KarrasSigmas(sigma_min, sigma_max, steps)
                                        : ExponentialSigmas(sigma_min, sigma_max, steps);
    std::vector<float> log_sigmas(train);
    for (float& value : log_sigmas) value = std::log(value);
    for (size_t i = 0; i < sigmas.size(); ++i) {
      schedule.timesteps[i] = float(TrainPosition(log_sigmas, sigmas[i]));
    }
  }
  // The lowest training level is position 0, which is final_timestep's default.
  sigmas.push_back(config.final_sigmas_type == "zero" ? 0 : double(train.front()));
  schedule.sigmas.assign(sigmas.begin(), sigmas.end());

  CheckFalls(schedule, config, file);
  if (config.timestep_type == "continuous" && config.prediction_type == "v_prediction") {
    for (size_t i = 0; i < schedule.timesteps.size(); ++i) {
      schedule.timesteps[i] = float(0.25 * std::log(double(schedule.sigmas[i])));
    }
    if (schedule.sigmas.back() > 0)
      schedule.final_timestep = float(0.25 * std::log(double(schedule.sigmas.back())));
  }
  const double largest = schedule.sigmas.front();
  schedule.init_noise_sigma =
      config.timestep_spacing == "leading" ? std::sqrt(largest * largest + 1) : largest;
  return schedule;
}

float TimestepOf(const Schedule& schedule, double sigma) {
  for (size_t i = 0; i < schedule.timesteps.size(); ++i) {
    if (schedule.sigmas[i] == float(sigma)) return schedule.timesteps[i];
  }
  if (schedule.sigmas.back() == float(sigma) && sigma > 0) return schedule.final_timestep;
  MVD_CHECK(false, "sigma ", sigma, " is not a level of the schedule");
  return 0;
}

}  // namespace mvd
