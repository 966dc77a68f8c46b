// What a run will cost, from its configuration alone: `train --dry-run`. Graphs are built, weights are not.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "mvd/ir/graph.h"
#include "mvd/train/run_config.h"

namespace mvd {

// One network's part of a micro-batch of one process.
struct NetworkPlan {
  std::string name;  // "unet", "autoencoder's encoder", ...
  int64_t parameters = 0;
  bool trained = false;
  int64_t forward_flops = 0;  // 2 x multiply-adds, see mvd/cost/cost.h
  int64_t step_flops = 0;  // with what the backward pass takes: x3 trained, x4 with recomputation, x1 frozen
  int64_t activation_bytes = 0;  // kept for the backward pass; of a frozen one the planned peak
};

struct MemoryItem {
  std::string name;
  int64_t bytes = 0;
};

struct RunPlan {
  std::string origin;
  std::string held_out;  // in words: the clips of the held-out loss
  std::vector<NetworkPlan> networks;
  std::vector<MemoryItem> memory;  // of one process
  int64_t processes = 1;
  int64_t clips_per_step = 0;  // of all processes
  int64_t steps = 0;
  int64_t step_flops = 0;        // of all processes
  double total_flops = 0;        // of the run
  int64_t checkpoint_bytes = 0;  // of one checkpoint

  int64_t MemoryBytes() const;
  int64_t TrainedParameters() const;
};

// Throws as ResolveModels and CheckRunConfig do.
RunPlan PlanRun(const DiffusionConfig& config, int64_t processes = 1);
RunPlan PlanRun(const AutoencoderConfig& config, int64_t processes = 1);
RunPlan PlanRun(const FeaturesConfig& config, int64_t processes = 1);
RunPlan PlanRun(const AdversarialConfig& config, int64_t processes = 1);

// The same as an object, for --json.
nlohmann::json ToJson(const RunPlan& plan);

// Lines of text; with `flops_per_second` (of one process, sustained; 0: unknown) the time of step and run.
std::string FormatPlan(const RunPlan& plan, double flops_per_second = 0);

// Bytes of values that autograd keeps for one forward pass: each computed value once, what only renames or
// repeats another one not. With `segments` > 0: what crosses the borders of so many segments of about equal
// bytes, and the largest segment's inside, which is there while its gradients are computed. `product_bytes`
// is the element size of what convolutions, linear layers and attention give, all else has 4. An estimate:
// scratch of the libraries and gradients of values come on top.
int64_t KeptActivationBytes(const Graph& graph, int segments, int64_t product_bytes);

}  // namespace mvd
