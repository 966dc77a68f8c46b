// Learning rate and averaging as functions of the step: nothing to save, nothing that a resume can miss.
#pragma once

#include <cstdint>

#include "mvd/train/run_config.h"

namespace mvd {

// The rate of optimiser step `step` (0 is the first) of `steps`. Warm-up is linear, lr (step+1)/(warmup+1),
// so no step has rate 0. "constant" then stays at lr; "cosine" then falls over the remaining steps to min_lr,
// which step `steps`-1 has, as min + (lr-min)(1+cos(pi x))/2; past the end it stays there.
double LearningRate(const OptimiserSection& optimiser, const ScheduleSection& schedule, int64_t step,
                    int64_t steps);

// The average's decay in a step of `batch` samples (of all processes) after `samples` were seen before it:
// 0.5^(batch/h), h = min(half_life, ramp_up * samples), as EDM's training loop has it (arXiv 2206.00364,
// appendix F.1 for the half-life). 0 at the start: the average is the weights. half_life 0: always 0.
double EmaDecay(const EmaSection& ema, int64_t samples, int64_t batch);

}  // namespace mvd
