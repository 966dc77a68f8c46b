// Temporal blocks that learn how much they matter (MobileVD, arXiv 2412.07583, section 3.4 and supplement
// A2.3): every step runs with a random choice of them, and their importance follows the loss.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "mvd/models/svd_unet.h"
#include "mvd/torch/torch_graph.h"
#include "mvd/train/run_config.h"

namespace mvd {

inline constexpr char kPruningLogits[] = "pruning.logits";  // (N), one per prunable block
inline constexpr char kMixFactor[] = "time_mixer.mix_factor";

// Which blocks are in the network in one step. `gates` has 0 or 1 for each, with the gradient of the blocks'
// probabilities (straight-through).
struct GateDraw {
  at::Tensor gates;         // (1,1,1,1,N)
  std::vector<uint8_t> in;  // the same
};

class Pruning {
 public:
  // Prunes the blocks that `unet` keeps. Error(kBadInput) naming pruning.keep where it has fewer blocks.
  Pruning(const SvdUnetConfig& unet, const AdversarialConfig& config);

  bool learned() const { return learned_; }
  const std::vector<std::string>& blocks() const { return blocks_; }

  // Logits l with sigmoid(l / temperature) = 1 - alpha = 1 - sigmoid(mix_factor). `unet`: weights by name.
  at::Tensor InitialLogits(const Parameters& unet) const;
  // Importance of each block: sigmoid of its logit, or, for kind l1, 1 - alpha. `weights` are the run's,
  // "unet.*" and "pruning.logits".
  std::vector<double> Importance(const Parameters& weights) const;
  // Brewer's sample of `keep` blocks, a function of the importances and (seed, draw).
  GateDraw Draw(const at::Tensor& logits, uint64_t seed, uint64_t draw) const;
  // Whether the blocks of this step are drawn and importances learnt, or settled blocks are used.
  bool Draws(int64_t step) const { return learned_ && (draw_steps_ == 0 || step < draw_steps_); }
  // Once blocks are no longer drawn, decides which stay, by the weights in training: their average may order
  // importances differently. Later calls change nothing.
  void Settle(const Parameters& trained, int64_t step);
  // The blocks that were decided on, in the order they run; empty before.
  const std::vector<std::string>& settled() const { return settled_; }
  // Takes over what a checkpoint says; Error(kBadInput) naming `file` where the network has no such blocks.
  void RestoreSettled(const std::vector<std::string>& blocks, const std::string& file);
  // The settled blocks as a draw without a gradient.
  GateDraw SettledGates(at::Device device) const;
  // The sum of 1 - alpha, differentiable: the penalty of kind l1.
  at::Tensor TemporalShare(const Parameters& weights) const;

  // The config with the settled blocks alone, before that with those that are most important to `weights`:
  // for export, samples and held-out losses.
  SvdUnetConfig Pruned(const Parameters& weights) const;
  // Weights that only block `index` uses, with the prefix "unet.".
  const std::vector<std::string>& WeightsOf(size_t index) const { return weights_[index]; }

 private:
  SvdUnetConfig unet_;
  bool learned_;
  int64_t keep_, draw_steps_;
  double temperature_;
  std::vector<std::string> blocks_, settled_;
  std::vector<std::vector<std::string>> weights_;
};

}  // namespace mvd
