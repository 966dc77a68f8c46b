#include "mvd/train/loop/teacher.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include "mvd/sample/preconditioning.h"
#include "mvd/train/loop/adversarial_testing.h"
#include "mvd/train/loop/tensors.h"

namespace mvd {
namespace {

// A teacher with the weights that `m` begins with.
Teacher OwnTeacher(const AdversarialModel& m, std::vector<double> sigmas) {
  Teacher teacher;
  teacher.unet = m.base.networks.configs.unet;
  for (const auto& [name, tensor] : m.base.networks.unet) teacher.weights["unet." + name] = tensor.detach();
  SchedulerConfig scheduler = SvdSchedulerConfig();
  scheduler.sigmas = std::move(sigmas);
  teacher.schedule = MakeSchedule(scheduler, int64_t(scheduler.sigmas.size()));
  return teacher;
}

Question RandomQuestion() {
  at::manual_seed(3);
  Question q;
  q.clips = at::zeros({2, 4, 4, 6, 4}), q.noise = at::randn({2, 4, 4, 6, 4});
  q.condition = at::randn({2, 4, 4, 6, 4}), q.embeds = at::zeros({2, 1, 1, 1, 64});
  q.ids = at::tensor({6.0f, 127.0f, 0.02f, 6.0f, 60.0f, 0.02f}).view({2, 1, 1, 1, 3});
  return q;
}

// Euler's method by hand, from noise of deviation sqrt(sigma^2 + 1), as the scheduler begins.
TEST(Teacher, MakesItsClipInItsOwnSteps) {
  AdversarialModel m(Tiny(), at::kCPU);
  const Teacher teacher = OwnTeacher(m, {700, 3});
  Question q = RandomQuestion();
  const at::Tensor got = TeachersClip(teacher, q, m.teaching);
  const c10::NoGradGuard guard;
  const at::Tensor start = q.noise * teacher.schedule.init_noise_sigma;
  const auto denoised = [&](const at::Tensor& x, double sigma) {
    Question at_level = q;
    at_level.clips = x, at_level.noise = at::zeros_like(x), at_level.sigma = {sigma, sigma};
    return OneStep(teacher.weights, teacher.unet, at_level, {}, m.base.frozen);
  };
  const at::Tensor next = start + (start - denoised(start, 700)) / 700 * (3 - 700);
  EXPECT_TRUE(at::allclose(got, denoised(next, 3), 1e-4, 1e-4));
}

// A generator that starts as its teacher is at no distance from that one's step, whatever the real clip; with
// two steps it is, and learns. Heads that count nothing stay.
TEST(Teacher, IsTheTargetOfTheDistance) {
  AdversarialConfig c = Tiny();
  c.levels = 2, c.adversarial = 0, c.pseudo_huber = 1;
  AdversarialModel m(c, at::kCPU);
  Parameters weights = TrainedParameters(m.base.networks, c);
  const std::vector<TrainingItem> items = Items(c, 2);
  EXPECT_GT(AdversarialLossOf(m, weights, items, {.step = 0}).parts.at("pseudo_huber"), 0.1);
  m.teacher = OwnTeacher(m, {700});
  EXPECT_LT(AdversarialLossOf(m, weights, items, {.step = 0}).parts.at("pseudo_huber"), 1e-3);
  EXPECT_LT(AdversarialHeldOut(m, weights).value.item<double>(), 1e-6);
  m.teacher = OwnTeacher(m, {700, 3});
  const TrainLoss loss = AdversarialLossOf(m, weights, items, {.step = 0});
  EXPECT_GT(loss.parts.at("pseudo_huber"), 0.01);
  EXPECT_EQ(loss.parts.at("discriminator"), 0);
  loss.value.backward();
  EXPECT_TRUE(AnyGradient(weights, "unet."));

  TrainTask task = MakeAdversarialTask(c, at::kCPU);
  Communicator alone(Processes(), at::kCPU);
  const std::set<std::string> idle = task.idle(alone, 0);
  for (const auto& [name, tensor] : task.trained)
    EXPECT_EQ(idle.contains(name), name.starts_with(kDiscriminator)) << name;
}

}  // namespace
}  // namespace mvd
