// Training runs, as the command calls them. This header does not need LibTorch; in a build without it every
// function throws Error(kUsage) that names the build option.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "mvd/base/cancel.h"
#include "mvd/train/run_config.h"

namespace mvd {

struct TrainHooks {
  const CancelToken* cancel = nullptr;             // ends the run after the current step, with a checkpoint
  std::function<void(const std::string&)> note;    // gets lines that stay
  std::function<void(const std::string&)> status;  // gets lines that each replace the one before
};

enum class RunMode {
  kNew,     // refuses a run folder that has checkpoints
  kResume,  // continues from the newest checkpoint, or starts anew where there is none
  kExport,  // takes no step: exports the newest checkpoint to RUN/model
};

struct TrainResult {
  int64_t steps = 0;  // optimiser steps done in all
  bool cancelled = false;
  std::filesystem::path model;  // the exported folder; empty where cancelled, or on other ranks than 0
};

// Runs until run.steps, writes RUN/{config.toml,metrics.jsonl,tensorboard,checkpoints,samples} on the way and
// RUN/model at the end. Errors: kUsage for options that do not fit the run or the machine,
// kBadInput naming file and tensor, kCheckFailed where losses stay not finite.
TrainResult TrainDiffusion(const DiffusionConfig& config, RunMode mode, const TrainHooks& hooks);
TrainResult TrainAutoencoder(const AutoencoderConfig& config, RunMode mode, const TrainHooks& hooks);
TrainResult TrainAdversarial(const AdversarialConfig& config, RunMode mode, const TrainHooks& hooks);
TrainResult TrainFeatures(const FeaturesConfig& config, RunMode mode, const TrainHooks& hooks);

// Whether this program can train, and if not why.
bool CanTrain();

// One training step on given numbers, timed: the safetensors file holds the UNet's weights ("unet.*"),
// "latents" (B,T,h,w,C), "noise", "condition" (B,1,h,w,C), "embeds" (B,1,1,1,D), "added_time_ids"
// (B,1,1,1,3) and "sigma" (B); its metadata "config" the UNet's config.json.
struct BenchStepResult {
  double loss = 0;  // of the first step, before any update
  double grad_norm = 0;
  std::vector<double> seconds;  // of each step: forward, backward, clipping, AdamW
};
struct BenchStepOptions {
  std::filesystem::path file;
  bool bf16 = false;
  int64_t steps = 3, threads = 0;
  double lr = 1e-5;
};
BenchStepResult BenchStep(const BenchStepOptions& options);

}  // namespace mvd
