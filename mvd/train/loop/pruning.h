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

inline constexpr char kPruningLogits[] = "pruning.logits";  // (N), one a prunable block
inline constexpr char kMixFactor[] = "time_mixer.mix_factor";

// One draw: which blocks are in the network. `gates` is 0 or 1 for each, its gradient that of the
// probabilities: straight through.
struct GateDraw {
  at::Tensor gates;         // (1,1,1,1,N)
  std::vector<uint8_t> in;  // the same
};

class Pruning {
 public:
  // Of the blocks that `unet` keeps. Error(kBadInput) naming pruning.keep where there are not so many.
  Pruning(const SvdUnetConfig& unet, const AdversarialConfig& config);

  bool learned() const { return learned_; }
  const std::vector<std::string>& blocks() const { return blocks_; }

  // Logits l with sigmoid(l / temperature) = 1 - alpha = 1 - sigmoid(mix_factor). `unet`: weights by name.
  at::Tensor InitialLogits(const Parameters& unet) const;
  // Importance of each block: of the logits, else (kind l1) 1 - alpha. `weights` are the run's, "unet.*" and
  // "pruning.logits".
  std::vector<double> Importance(const Parameters& weights) const;
  // Brewer's sample of as many blocks as are to be left. Named by (seed, draw) alone.
  GateDraw Draw(const at::Tensor& logits, uint64_t seed, uint64_t draw) const;
  // Whether importances are learnt in this step, or the most important blocks are in the network for good.
  bool Draws(int64_t step) const { return learned_ && (draw_steps_ == 0 || step < draw_steps_); }
  // Those blocks, as a draw without a gradient.
  GateDraw Settled(const Parameters& weights) const;
  // The sum of 1 - alpha, with its gradient: what kind l1 presses on.
  at::Tensor TemporalShare(const Parameters& weights) const;

  // The config with the most important blocks alone, for whatever is not training.
  SvdUnetConfig Pruned(const Parameters& weights) const;
  // Weights that block `index` alone uses, with the prefix "unet.".
  const std::vector<std::string>& WeightsOf(size_t index) const { return weights_[index]; }

 private:
  SvdUnetConfig unet_;
  bool learned_;
  int64_t keep_, draw_steps_;
  double temperature_;
  std::vector<std::string> blocks_;
  std::vector<std::vector<std::string>> weights_;
};

}  // namespace mvd
