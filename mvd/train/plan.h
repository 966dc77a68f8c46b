// What a run will cost, computed from its configuration for `train --dry-run`. Builds graphs, loads no
// weights.
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
  int64_t forward_flops = 0;     // 2 x multiply-adds, see mvd/cost/cost.h
  int64_t step_flops = 0;        // forward and backward: x3 trained, x4 with recomputation, x1 frozen
  int64_t activation_bytes = 0;  // kept for the backward pass; for a frozen network its peak
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

// The plan as text. `flops_per_second` is what one process sustains and adds the time of a step and of the
// run; 0: unknown.
std::string FormatPlan(const RunPlan& plan, double flops_per_second = 0);

// Bytes of values that autograd keeps after one forward pass: every computed value once, but no views. With
// `segments` > 0 only the values that cross the borders of that many segments of about equal bytes, and the
// inside of the largest segment, which exists while its gradients are computed. `product_bytes` is the
// element size of the results of convolutions, linear layers and attention; all others have 4. An estimate:
// scratch memory of the libraries and gradients of values are not counted.
int64_t KeptActivationBytes(const Graph& graph, int segments, int64_t product_bytes);

}  // namespace mvd
