// The discriminator of `train adversarial`: its inputs, features, logits and losses.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "mvd/train/discriminator.h"
#include "mvd/train/loop/networks.h"
#include "mvd/train/run_config.h"

namespace mvd {

// A batch of clips with everything that a UNet is told about them.
struct Question {
  at::Tensor clips;      // (B,T,h,w,C): latents
  at::Tensor noise;      // as clips
  at::Tensor condition;  // (B,T,h,w,C): first frame
  at::Tensor embeds;     // (B,1,1,1,D)
  at::Tensor ids;        // (B,1,1,1,3)
  std::vector<double> sigma;
};

// coefficient(sigma) of each clip as (B,1,1,1,1), ready to be multiplied with clips.
template <class Coefficient>
at::Tensor Column(const std::vector<double>& sigma, const at::Tensor& like, const Coefficient& coefficient) {
  std::vector<double> values;
  for (double s : sigma) values.push_back(coefficient(s));
  return at::tensor(values, like.options()).view({int64_t(sigma.size()), 1, 1, 1, 1});
}

// EDM's scaled network input, c_in (clips + sigma noise).
at::Tensor Noised(const Question& question);
// A UNet's inputs by name, of noised clips.
TensorMap UnetInputs(const Question& question, const at::Tensor& noised);

// The frozen encoder half of a UNet and the shape of the heads on it. The heads' weights are trained, so they
// live with the run's.
struct Discriminator {
  SvdUnetConfig unet;
  Parameters backbone;  // without gradients
  EncoderTaps taps = EncoderTaps::kBlocks;
  ClipHeads heads;
  bool penalty_by_input = false;  // R1 on the noised clips in place of the features
};

// The backbone's features of noised clips, by tap.
TensorMap Features(const Discriminator& discriminator, const Question& question, const at::Tensor& noised,
                   GraphCache& graphs, Recompute recompute = Recompute::kAsConfigured);
// Logits of every place of each head, (B,T,h,w) each. Heads are never recomputed: R1 differentiates their
// gradient.
std::vector<at::Tensor> Logits(const Discriminator& discriminator, const Parameters& heads,
                               const TensorMap& features, const Question& question, GraphCache& graphs);

// Losses. The gradient of each reaches one side only: the heads or the generator.
struct Judged {
  at::Tensor discriminator;  // hinge, of the heads
  at::Tensor penalty;        // R1, of the heads; undefined where it was not asked for
  at::Tensor generator;      // of made.clips; undefined where it was not asked for
};

// Real and made clips, each noised as its question says; `weights` are the run's.
Judged Judge(const Discriminator& discriminator, const Parameters& weights, const Question& real,
             const Question& made, bool penalise, bool generator, GraphCache& graphs);

}  // namespace mvd
