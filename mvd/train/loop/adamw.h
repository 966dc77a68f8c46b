// AdamW (Loshchilov & Hutter, arXiv 1711.05101) and an exponential moving average, over sorted parameters.
// Their state is plain tensors by name, which a checkpoint stores as they are.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "mvd/torch/torch_graph.h"

namespace mvd {

struct AdamWOptions {
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0.01;
};

struct AdamWState {
  TensorMap first, second;                // moments
  int64_t steps = 0;                      // in all
  std::map<std::string, int64_t> missed;  // steps in which a parameter was idle, by its name
};

// Parameters that are updated in the same way.
struct ParameterGroup {
  std::string name;
  std::vector<std::string> parameters;
  double rate = 1;     // their learning rate as a multiple of the run's
  bool decays = true;  // whether weight decay applies to them
};

Parameters MembersOf(const ParameterGroup& group, const Parameters& all);

AdamWState MakeAdamW(const Parameters& parameters);

// The gradients' norm over all parameters; where it exceeds `most` (> 0), all are scaled down to it. Returns
// the norm before.
double ClipGradients(const Parameters& parameters, double most);

// One update from the parameters' gradients; a missing gradient counts as zero. `groups` must hold every
// parameter once; empty: one group. Parameters in `idle` keep their value, moments and number of steps.
void UpdateAdamW(const Parameters& parameters, double learning_rate, const AdamWOptions& options,
                 AdamWState& state, const std::vector<ParameterGroup>& groups = {},
                 const std::set<std::string>& idle = {});

// Removes all gradients.
void ClearGradients(const Parameters& parameters);

TensorMap CloneDetached(const Parameters& parameters);

// average = average + (1 - decay)(parameters - average)
void UpdateAverage(const Parameters& parameters, double decay, TensorMap& average);

}  // namespace mvd
