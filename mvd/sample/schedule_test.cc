// Schedules against constants made by diffusers 0.42 (EulerDiscreteScheduler.set_timesteps).
#include "mvd/sample/schedule.h"

#include <gtest/gtest.h>

#include <cmath>

#include "mvd/base/error.h"

namespace mvd {
namespace {

// diffusers computes in a mix of f32 and f64; 1e-6 is a few roundings to f32.
void ExpectClose(const std::vector<float>& got, const std::vector<float>& want) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < got.size(); ++i) {
    EXPECT_NEAR(got[i], want[i], 1e-6 * std::abs(want[i])) << "element " << i;
  }
}

void ExpectSchedule(const SchedulerConfig& config, const std::vector<float>& sigmas,
                    const std::vector<float>& timesteps, double init_noise_sigma) {
  const Schedule schedule = MakeSchedule(config, int64_t(timesteps.size()));
  ExpectClose(schedule.sigmas, sigmas);
  ExpectClose(schedule.timesteps, timesteps);
  EXPECT_NEAR(schedule.init_noise_sigma, init_noise_sigma, 1e-6 * init_noise_sigma);
}

// SVD's betas with neither Karras' levels nor a given range.
SchedulerConfig Plain(const std::string& spacing) {
  SchedulerConfig config = SvdSchedulerConfig();
  config.use_karras_sigmas = false;
  config.sigma_min = config.sigma_max = std::nullopt;
  config.timestep_spacing = spacing;
  config.timestep_type = "discrete";
  return config;
}

TEST(Schedule, SvdIn5And25And1Steps) {
  ExpectSchedule(SvdSchedulerConfig(), {700, 134.854446f, 15.5899677f, 0.678146005f, 0.00200000009f, 0},
                 {1.63777006f, 1.22604895f, 0.686656892f, -0.0970981717f, -1.55365205f}, 700.000732);
  ExpectSchedule(
      SvdSchedulerConfig(),
      {700.f,         545.729248f,   421.569122f,    322.453674f,    244.023071f,  182.547134f,  134.854446f,
       98.2671356f,   70.5408401f,   49.8097916f,    34.5367393f,    23.4675121f,  15.5899677f,  10.0971298f,
       6.35426569f,   3.86969733f,   2.2691164f,     1.27317727f,    0.678146005f, 0.339378148f, 0.157404646f,
       0.0663990751f, 0.0248025805f, 0.00788249541f, 0.00200000009f, 0.f},
      {1.63777006f,   1.57553077f,   1.51099598f,   1.44398987f,    1.37431574f,
       1.30175209f,   1.22604895f,   1.14692247f,   1.06404793f,    0.977052927f,
       0.885505915f,  0.78890425f,   0.686656892f,  0.578062773f,   0.462281585f,
       0.338294089f,  0.204847634f,  0.0603788905f, -0.0970981717f, -0.270160079f,
       -0.462233841f, -0.678018034f, -0.924201906f, -1.21077764f,   -1.55365205f},
      700.000732);
  ExpectSchedule(SvdSchedulerConfig(), {700, 0}, {1.63777006f}, 700.000732);
}

TEST(Schedule, KarrasRangeFromTheBetas) {
  SchedulerConfig config = SvdSchedulerConfig();
  config.sigma_min = config.sigma_max = std::nullopt;
  ExpectSchedule(config, {4.11669827f, 1.20877779f, 0.273387223f, 0.041314479f, 0},
                 {0.353762865f, 0.0474024378f, -0.324216515f, -0.796635568f}, 4.23641396);
}

TEST(Schedule, SpacingsOfDiscreteTimesteps) {
  ExpectSchedule(Plain("leading"), {4.11669827f, 1.62369299f, 0.69839859f, 0.041314479f, 0},
                 {751, 501, 251, 1}, 4.23641396);
  ExpectSchedule(Plain("trailing"), {14.6146469f, 4.08173084f, 1.61288702f, 0.693205416f, 0},
                 {999, 749, 499, 249}, 14.6146469);
  ExpectSchedule(Plain("linspace"), {14.6146469f, 2.9183085f, 0.932358384f, 0.0291675348f, 0},
                 {999, 666, 333, 0}, 14.6146469);
}

TEST(Schedule, OtherBetas) {
  SchedulerConfig config = Plain("linspace");
  config.beta_schedule = "linear";
  config.beta_start = 1e-4, config.beta_end = 0.02;
  ExpectSchedule(config, {157.407272f, 3.43355227f, 0.0100013297f, 0}, {999, 499.5f, 0}, 157.407272);
  config.trained_betas = {0.1f, 0.2f, 0.3f, 0.4f};
  config.num_train_timesteps = 4;
  ExpectSchedule(config, {1.51884115f, 0.333333373f, 0}, {3, 0}, 1.51884115);
}

TEST(Schedule, OtherLevels) {
  SchedulerConfig config = SvdSchedulerConfig();
  config.timestep_type = "discrete";  // levels beyond the training range stay at its ends
  config.timestep_spacing = "trailing";
  ExpectSchedule(config, {700, 15.5899677f, 0.00200000009f, 0}, {999, 999, 0}, 700);
  config = SvdSchedulerConfig();
  config.use_karras_sigmas = false, config.use_exponential_sigmas = true;
  ExpectSchedule(config, {700, 1.18321598f, 0.00200000009f, 0}, {1.63777006f, 0.0420590341f, -1.55365205f},
                 700.000732);
  config = Plain("linspace");
  config.final_sigmas_type = "sigma_min";
  ExpectSchedule(config, {14.6146469f, 1.61558342f, 0.0291675348f, 0.0291675348f}, {999, 499.5f, 0},
                 14.6146469);
}

TEST(Schedule, KarrasEndsAndMiddle) {
  const std::vector<double> sigmas = KarrasSigmas(1, 128, 3);  // seventh roots 1, 1.5, 2
  ASSERT_EQ(sigmas.size(), 3u);
  EXPECT_NEAR(sigmas[0], 128, 1e-12 * 128);
  EXPECT_NEAR(sigmas[1], std::pow(1.5, 7), 1e-12 * 20);
  EXPECT_NEAR(sigmas[2], 1, 1e-12);
}

TEST(Schedule, TimestepOfALevel) {
  SchedulerConfig config = SvdSchedulerConfig();
  const Schedule schedule = MakeSchedule(config, 5);
  EXPECT_EQ(TimestepOf(schedule, schedule.sigmas[3]), schedule.timesteps[3]);
  EXPECT_THROW(TimestepOf(schedule, 3.0), InternalError);
  EXPECT_THROW(TimestepOf(schedule, 0), InternalError);
  // Heun's method asks at the last level too, where that is not 0.
  config.final_sigmas_type = "sigma_min";
  config.sigma_min = 0.5;
  const Schedule ends_above = MakeSchedule(config, 5);
  ASSERT_GT(ends_above.sigmas.back(), 0);
  EXPECT_NEAR(TimestepOf(ends_above, ends_above.sigmas.back()), 0.25 * std::log(ends_above.sigmas.back()),
              1e-6);
  config.timestep_type = "discrete";
  const Schedule discrete = MakeSchedule(config, 5);
  EXPECT_EQ(TimestepOf(discrete, discrete.sigmas.back()), 0);
}

void ExpectError(const SchedulerConfig& config, int64_t steps, Exit exit, const std::string& message) {
  try {
    MakeSchedule(config, steps, "s.json");
    ADD_FAILURE() << message;
  } catch (const Error& error) {
    EXPECT_EQ(error.exit(), exit) << error.what();
    EXPECT_EQ(error.what(), message);
  }
}

TEST(Schedule, UnsupportedValuesNameTheirKey) {
  SchedulerConfig config = SvdSchedulerConfig();
  config.beta_schedule = "squaredcos_cap_v2";
  ExpectError(
      config, 5, Exit::kBadInput,
      "s.json: beta_schedule: found \"squaredcos_cap_v2\", expected one of \"linear\", \"scaled_linear\"");
  config = SvdSchedulerConfig();
  config.interpolation_type = "log_linear";
  ExpectError(config, 5, Exit::kBadInput,
              "s.json: interpolation_type: found \"log_linear\", expected \"linear\"");
  config = SvdSchedulerConfig();
  config.rescale_betas_zero_snr = true;
  ExpectError(config, 5, Exit::kBadInput, "s.json: rescale_betas_zero_snr: found true, expected false");
  config = SvdSchedulerConfig();
  config.use_exponential_sigmas = true;
  ExpectError(config, 5, Exit::kBadInput,
              "s.json: use_karras_sigmas: found true beside use_exponential_sigmas, expected one of them");
}

TEST(Schedule, SenselessValues) {
  SchedulerConfig config = SvdSchedulerConfig();
  ExpectError(config, 0, Exit::kUsage, "num_inference_steps: found 0, expected 1 to 100000");
  ExpectError(
      config, 1'000'000'000, Exit::kUsage,
      "num_inference_steps: found 1000000000, expected 1 to 100000");  // before anything of that size is made
  config.steps_offset = int64_t{1} << 62;
  ExpectError(config, 5, Exit::kBadInput,
              "s.json: steps_offset: found 4611686018427387904, expected 0 to num_train_timesteps, 1000");
  config = SvdSchedulerConfig();
  config.sigma_max = 1e308;
  ExpectError(config, 5, Exit::kBadInput, "s.json: sigma_max: found 1e+308, expected 1e-06 to 1e+06");
  config = SvdSchedulerConfig();
  config.sigma_min = -1;
  ExpectError(config, 5, Exit::kBadInput, "s.json: sigma_min: found -1, expected 1e-06 to 1e+06");
  config.sigma_min = 800;
  ExpectError(config, 5, Exit::kBadInput, "s.json: sigma_min: found 800, expected less than sigma_max, 700");
  config = SvdSchedulerConfig();
  config.final_sigmas_type = "sigma_min";  // 0.029, above the 0.002 that Karras' levels end with
  EXPECT_THROW(MakeSchedule(config, 5), Error);
  config = Plain("leading");
  ExpectError(config, 1001, Exit::kUsage,
              "num_inference_steps: found 1001, expected at most num_train_timesteps of s.json, 1000");
  config.num_train_timesteps = 1;
  ExpectError(config, 1, Exit::kBadInput, "s.json: num_train_timesteps: found 1, expected 2 to 1000000");
}

// A model may name the noise levels of a run of so many steps; other numbers of steps have the scheduler's
// own.
TEST(Schedule, OfAModelsOwnLevels) {
  SchedulerConfig config = SvdSchedulerConfig();
  config.sigmas = {700, 20, 2};
  const Schedule schedule = MakeSchedule(config, 3);
  EXPECT_EQ(schedule.sigmas, (std::vector<float>{700, 20, 2, 0}));
  EXPECT_NEAR(schedule.timesteps[1], 0.25 * std::log(20.0), 1e-6);
  EXPECT_EQ(MakeSchedule(config, 5).sigmas, MakeSchedule(SvdSchedulerConfig(), 5).sigmas);
}

}  // namespace
}  // namespace mvd
