// One denoising step, taught by a discriminator: the objective of `train adversarial` over one batch of
// clips.
#pragma once

#include <optional>

#include "mvd/train/discriminator.h"
#include "mvd/train/health.h"
#include "mvd/train/loop/diffusion.h"
#include "mvd/train/loop/pruning.h"
#include "mvd/train/noise_levels.h"

namespace mvd {

struct AdversarialModel {
  AdversarialModel(const AdversarialConfig& config, at::Device device);

  AdversarialConfig config;
  DiffusionModel base;            // the generator and the networks round it
  SvdUnetConfig backbone_config;  // of the discriminator's UNet
  Parameters backbone;            // its encoder half, without gradients
  Parameters heads;               // "discriminator.*"
  std::vector<double> levels;     // of the generator
  DiscreteLogNormal discriminator_levels;
  std::optional<Pruning> pruning;
  CollapseWatch watch;
  std::vector<double> gates_used;  // how often each block was in, since the loop asked last
};

// Clips as the discriminator is asked about them. All of one batch.
struct Question {
  at::Tensor clips;      // (B,T,h,w,C): latents
  at::Tensor noise;      // as clips
  at::Tensor condition;  // (B,T,h,w,C): first frame
  at::Tensor embeds;     // (B,1,1,1,D)
  at::Tensor ids;        // (B,1,1,1,3)
  std::vector<double> sigma;
};

// Logits of every place of each head; "spatial.0", "temporal.0", ... of (B,T,h,w).
std::vector<at::Tensor> Logits(AdversarialModel& model, const Parameters& heads, const TensorMap& features,
                               const Question& question, GraphCache& graphs);
// The backbone's features of the noised clips, by tap. `noised`: (B,T,h,w,C), c_in (x + sigma n).
TensorMap Features(AdversarialModel& model, const at::Tensor& noised, const Question& question,
                   GraphCache& graphs);

// x0 as the generator sees it in one step from clips noised to `sigma`, one number a clip: EDM's D.
// `gates` undefined: `unet` has none.
at::Tensor OneStep(const Parameters& weights, const SvdUnetConfig& unet, const Question& question,
                   const at::Tensor& gates, GraphCache& graphs);

TrainLoss AdversarialLossOf(AdversarialModel& model, const Parameters& weights,
                            const std::vector<TrainingItem>& items, const LossCall& call);
// Mean squared error of one step from the highest level, on held-out clips.
TrainLoss AdversarialHeldOut(AdversarialModel& model, const Parameters& weights);

TrainTask MakeAdversarialTask(const AdversarialConfig& config, at::Device device);

}  // namespace mvd
