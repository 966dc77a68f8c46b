// What the loop needs to know about a kind of training, as plain data and callables, so that one readable
// loop serves all kinds.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "mvd/data/clip_source.h"
#include "mvd/torch/torch_graph.h"
#include "mvd/train/loop/adamw.h"
#include "mvd/train/loop/processes.h"
#include "mvd/train/metrics_log.h"
#include "mvd/train/run_config.h"

namespace mvd {

// A clip and the number that all its random draws come from.
struct TrainingItem {
  TrainingClip clip;
  uint64_t sample = 0;
};

struct TrainLoss {
  at::Tensor value;                          // scalar, mean over the items; carries the gradient
  SigmaBins sigma;                           // diffusion: by noise level
  std::map<std::string, double> parts;       // "pixels", "pyramid", ...
  std::map<std::string, double> state = {};  // for the log; the same in every process, unlike `parts`
  std::string warning = {};                  // one line where the training seems to fail
  bool backward_done = false;                // the gradients are in the parameters already
};

struct SampleReport {
  std::filesystem::path sheet;  // contact sheet, PNG
  double motion = 0, data_motion = 0, copy_ratio = 0;
  double variety = 0;  // mean difference of two clips of one picture
  bool has_motion = false;
};

// What a loss may want to know about the step it belongs to.
struct LossCall {
  int64_t step = 0;    // optimiser steps done
  bool guard = false;  // throw an Error naming the first node whose value is not finite
};

struct TrainTask {
  std::string kind;  // "diffusion", "adversarial", "autoencoder", "features"
  CommonConfig common;
  uint64_t seed = 0;
  at::Device device = at::kCPU;
  Parameters trained;
  std::vector<std::string> backward_order;  // names as the backward pass completes their gradients
  // Every parameter once; each group's gradient is clipped by itself. Empty: one group of all.
  std::vector<ParameterGroup> groups;

  // Loss of a micro-batch under `weights` (those in training, or their average).
  std::function<TrainLoss(const Parameters& weights, const std::vector<TrainingItem>& items,
                          const LossCall& call)>
      loss;
  // Parameters that no loss since the last call could move, in any process: neither they nor their moments
  // change in this step. Null: none.
  std::function<std::set<std::string>(Communicator& group, int64_t step)> idle;
  // Called after each step and after a checkpoint was read: the task decides here what the weights in
  // training (not their average) decide for good. Null: nothing.
  std::function<void(const Parameters& trained, int64_t step)> decide;
  // What was decided, for state.json, and back; Error(kBadInput) naming `file`. Null: nothing.
  std::function<nlohmann::json()> decisions;
  std::function<void(const nlohmann::json& decisions, const std::string& file)> restore_decisions;
  std::function<TrainLoss(const Parameters& weights)> held_out;
  // Clips and a contact sheet from fixed pictures and seeds, as `folder`/step-N*. Null where nothing is made.
  std::function<SampleReport(const Parameters& weights, int64_t step, const std::filesystem::path& folder)>
      samples;
  // A model folder that the engine reads.
  std::function<void(const Parameters& weights, const std::filesystem::path& folder,
                     const std::map<std::string, std::string>& metadata)>
      export_model;

  nlohmann::json config_json;  // all options, for checkpoints
  std::string config_toml;     // the same, for RUN/config.toml
  // Throws Error(kUsage) where a checkpoint's options do not allow this run to continue it; returns notes.
  std::function<std::vector<std::string>(const nlohmann::json& stored, const std::string& file)> check_resume;
};

}  // namespace mvd
