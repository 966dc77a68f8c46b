#include "mvd/train/lr_schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "mvd/base/check.h"

namespace mvd {

double LearningRate(const OptimiserSection& optimiser, const ScheduleSection& schedule, int64_t step,
                    int64_t steps) {
  MVD_CHECK_GE(step, 0);
  const int64_t warmup = schedule.warmup_steps;
  if (step < warmup) return optimiser.lr * double(step + 1) / double(warmup + 1);
  if (schedule.kind == "constant") return optimiser.lr;
  MVD_CHECK(schedule.kind == "cosine", "schedule '", schedule.kind, "'");
  const int64_t last = std::max(steps - 1 - warmup, int64_t{1});
  const double x = std::min(double(step - warmup) / double(last), 1.0);
  return schedule.min_lr + (optimiser.lr - schedule.min_lr) * (1 + std::cos(std::numbers::pi * x)) / 2;
}

double EmaDecay(const EmaSection& ema, int64_t samples, int64_t batch) {
  MVD_CHECK(samples >= 0 && batch > 0, samples, " samples, batch ", batch);
  double half_life = ema.half_life;
  if (ema.ramp_up > 0) half_life = std::min(half_life, ema.ramp_up * double(samples));
  return half_life > 0 ? std::exp2(-double(batch) / half_life) : 0;
}

}  // namespace mvd
