// Samplers against problems whose ODE has a closed solution.
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "mvd/sample/denoiser.h"
#include "mvd/sample/schedule.h"

namespace mvd {
namespace {

constexpr double kMu = 0.3, kSpread = 0.8;

// Data distributed N(mu, spread^2) in every element.
double GaussianDenoised(double x, double sigma) {
  const double data = kSpread * kSpread, noise = sigma * sigma;
  return (data * x + noise * kMu) / (data + noise);
}

void GaussianDenoiser(std::span<const float> x, double sigma, std::span<float> denoised) {
  for (size_t i = 0; i < x.size(); ++i) denoised[i] = float(GaussianDenoised(x[i], sigma));
}

double GaussianSolution(double x, double from, double to) {
  return kMu + (x - kMu) * std::hypot(kSpread, to) / std::hypot(kSpread, from);
}

double ErrorAfter(SampleFunction* run, int steps) {
  const double from = 4, to = 0.25;
  std::vector<float> sigmas;
  for (int i = 0; i <= steps; ++i) sigmas.push_back(float(from * std::pow(to / from, double(i) / steps)));
  std::vector<float> x = {3.0f, -5.0f};
  const std::vector<float> start = x;
  run(GaussianDenoiser, sigmas, x, {});
  double worst = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    worst = std::max(worst, std::abs(x[i] - GaussianSolution(start[i], from, to)));
  }
  return worst;
}

// Halving the steps must divide the error by 2^order; at 32 steps the next term of the expansion still shows
// (a fifth), while f32 rounding, 1e-6, does not.
void ExpectOrder(SampleFunction* run, int order) {
  const double coarse = ErrorAfter(run, 32), fine = ErrorAfter(run, 64);
  EXPECT_NEAR(std::log2(coarse / fine), order, 0.2) << coarse << " then " << fine;
}

TEST(Samplers, EulerHasOrder1) { ExpectOrder(SampleEuler, 1); }
TEST(Samplers, HeunHasOrder2) { ExpectOrder(SampleHeun, 2); }
TEST(Samplers, Dpmpp2MHasOrder2) { ExpectOrder(SampleDpmpp2M, 2); }

TEST(Samplers, OneStepFromSigmaMaxIsTheDenoisedSample) {
  const std::vector<float> sigmas = {700, 0};
  for (const Sampler& sampler : Samplers()) {
    std::vector<float> x = {512.25f, -3.0f}, want(2);
    GaussianDenoiser(x, 700, want);
    sampler.run(GaussianDenoiser, sigmas, x, {});
    EXPECT_EQ(x, want) << sampler.name;  // to the bit: nothing is cancelled on the way
  }
}

// One data point: the slope never changes, so every sampler is exact up to f32 rounding of each step.
TEST(Samplers, APointIsReachedExactly) {
  const Denoiser point = [](std::span<const float>, double, std::span<float> d) { d[0] = 0.7f; };
  const std::vector<float> sigmas = {10, 3, 2.5f, 0.1f};
  for (const Sampler& sampler : Samplers().first(3)) {
    std::vector<float> x = {8};
    sampler.run(point, sigmas, x, {});
    EXPECT_NEAR(x[0], 0.7 + (8 - 0.7f) * 0.01, 1e-6) << sampler.name;
  }
}

// From noise to data along SVD's schedule, the step to 0 included: four times the steps must leave a quarter
// of the error at order 1, a sixteenth at order 2; a third more is allowed for the higher terms.
TEST(Samplers, SvdScheduleConvergesToTheData) {
  const double order[] = {1, 2, 2};
  for (size_t i = 0; i < 3; ++i) {
    double error[2] = {};
    for (int fine = 0; fine < 2; ++fine) {
      const Schedule schedule = MakeSchedule(SvdSchedulerConfig(), fine ? 200 : 50);
      std::vector<float> x = {float(1.5 * schedule.init_noise_sigma)};
      const double want = GaussianSolution(x[0], 700, 0);
      Samplers()[i].run(GaussianDenoiser, schedule.sigmas, x, {});
      error[fine] = std::abs(x[0] - want);
    }
    EXPECT_LT(error[1], error[0] * std::pow(4, -order[i]) * 4 / 3) << Samplers()[i].name;
    EXPECT_GT(error[0], 0) << Samplers()[i].name;
  }
}

TEST(Samplers, EvaluationsAndProgress) {
  const std::vector<float> sigmas = {8, 4, 2, 0};
  const int want[] = {3, 5, 3};  // Heun has no second evaluation at 0
  for (size_t i = 0; i < 3; ++i) {
    int evaluations = 0;
    std::vector<double> shares;
    const Denoiser counted = [&](std::span<const float> x, double sigma, std::span<float> d) {
      ++evaluations;
      GaussianDenoiser(x, sigma, d);
    };
    SampleHooks hooks;
    hooks.progress = [&](std::string_view stage, double share) {
      EXPECT_EQ(stage, "denoise");
      shares.push_back(share);
    };
    std::vector<float> x = {1};
    Samplers()[i].run(counted, sigmas, x, hooks);
    EXPECT_EQ(evaluations, want[i]) << Samplers()[i].name;
    EXPECT_EQ(shares, (std::vector<double>{1 / 3., 2 / 3., 1})) << Samplers()[i].name;
  }
}

TEST(Samplers, CancelEndsBetweenSteps) {
  const std::vector<float> sigmas = {8, 4, 2, 0};
  for (const Sampler& sampler : Samplers().first(3)) {
    CancelToken cancel;
    std::vector<float> x = {1};
    SampleHooks hooks{&cancel, [&](std::string_view, double) { cancel.Cancel(); }};
    try {
      sampler.run(GaussianDenoiser, sigmas, x, hooks);
      ADD_FAILURE() << sampler.name;
    } catch (const Error& error) {
      EXPECT_EQ(error.exit(), Exit::kCancelled);
    }
  }
}

TEST(Samplers, AStepOfNoLengthAtTheEndChangesNothing) {
  for (const Sampler& sampler : Samplers().first(3)) {
    std::vector<float> x = {5}, y = {5};
    sampler.run(GaussianDenoiser, std::vector<float>{8, 4, 1}, x, {});
    sampler.run(GaussianDenoiser, std::vector<float>{8, 4, 1, 1}, y, {});
    EXPECT_EQ(x, y) << sampler.name;
  }
}

TEST(Samplers, RefusesWhatMakesNoSense) {
  std::vector<float> x = {1};
  EXPECT_THROW(SampleEuler(GaussianDenoiser, std::vector<float>{1, 2, 0}, x, {}), InternalError);
  EXPECT_THROW(SampleHeun(GaussianDenoiser, std::vector<float>{2, 2, 0}, x, {}), InternalError);
  EXPECT_THROW(SampleDpmpp2M(GaussianDenoiser, std::vector<float>{2}, x, {}), InternalError);
  try {
    SampleOneStep(GaussianDenoiser, std::vector<float>{4, 2, 0}, x, {});
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.exit(), Exit::kUsage);
    EXPECT_STREQ(error.what(), "sampler one_step: found 2 inference steps, expected 1");
  }
}

TEST(Samplers, NamesAreFoundOrListed) {
  EXPECT_EQ(FindSampler("heun").run, &SampleHeun);
  try {
    FindSampler("ddim");
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.exit(), Exit::kUsage);
    EXPECT_STREQ(error.what(), "sampler: found \"ddim\", expected one of euler, heun, dpmpp_2m, one_step");
  }
}

}  // namespace
}  // namespace mvd
