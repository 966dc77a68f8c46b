// One denoising step, taught by a discriminator: the objective of `train adversarial` over one batch of
// clips.
#pragma once

#include <optional>

#include "mvd/train/health.h"
#include "mvd/train/loop/diffusion.h"
#include "mvd/train/loop/judge.h"
#include "mvd/train/loop/pruning.h"
#include "mvd/train/loop/teacher.h"
#include "mvd/train/noise_levels.h"

namespace mvd {

struct AdversarialModel {
  AdversarialModel(const AdversarialConfig& config, at::Device device);

  AdversarialConfig config;
  DiffusionModel base;  // the generator and the networks round it
  Discriminator discriminator;
  Parameters heads;            // "discriminator.*"
  std::vector<double> levels;  // of the generator
  DiscreteLogNormal discriminator_levels;
  std::optional<Pruning> pruning;
  std::optional<Teacher> teacher;  // whose clips are the target in place of the real ones
  GraphCache teaching;
  CollapseWatch watch;
  std::vector<double> gates_used;  // how often each block was drawn since the last optimiser step
};

// The noise of the generator's clips, made from `noise` (B,T,h,w,C): where frames share it, all get the first
// frame's.
at::Tensor GeneratorNoise(const UnetSampling& sampling, const at::Tensor& noise);

// The generator's x0 in one step (EDM's D), from clips noised to `sigma`, one level per clip. `gates` is
// undefined where `unet` has none.
at::Tensor OneStep(const Parameters& weights, const SvdUnetConfig& unet, const Question& question,
                   const at::Tensor& gates, GraphCache& graphs);

// Not while the heads alone are warmed up; without heads in the loss, always.
bool GeneratorTrains(const AdversarialConfig& config, int64_t step);

TrainLoss AdversarialLossOf(AdversarialModel& model, const Parameters& weights,
                            const std::vector<TrainingItem>& items, const LossCall& call);
// Mean squared error of one step from the highest level, on held-out clips, against them or the teacher's.
TrainLoss AdversarialHeldOut(AdversarialModel& model, const Parameters& weights);

TrainTask MakeAdversarialTask(const AdversarialConfig& config, at::Device device);

}  // namespace mvd
