// What the loop needs to know of a kind of training: plain data and callables, so that the loop is one and
// readable.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "mvd/data/clip_source.h"
#include "mvd/torch/torch_graph.h"
#include "mvd/train/metrics_log.h"
#include "mvd/train/run_config.h"

namespace mvd {

// A clip and the number that all its random draws come from.
struct TrainingItem {
  TrainingClip clip;
  uint64_t sample = 0;
};

struct TrainLoss {
  at::Tensor value;                     // scalar, mean over the items; carries the gradient
  SigmaBins sigma;                      // diffusion: by noise level
  std::map<std::string, double> parts;  // "pixels", "pyramid", ...
};

struct SampleReport {
  std::filesystem::path sheet;  // contact sheet, PNG
  double motion = 0, data_motion = 0, copy_ratio = 0;
  bool has_motion = false;
};

struct TrainTask {
  std::string kind;  // "diffusion", "autoencoder", "features"
  CommonConfig common;
  uint64_t seed = 0;
  at::Device device = at::kCPU;
  Parameters trained;
  std::vector<std::string> backward_order;  // names as their gradients come about

  // Loss of a micro-batch under `weights` (those in training, or their average). With `guard` it throws an
  // Error naming the first node whose value is not finite.
  std::function<TrainLoss(const Parameters& weights, const std::vector<TrainingItem>& items, bool guard)>
      loss;
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
