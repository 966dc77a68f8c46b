// A model as the commands see it: configs and weights, from a folder or from a preset with random weights.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "mvd/base/parallel.h"
#include "mvd/base/weight_source.h"
#include "mvd/engine/components.h"
#include "mvd/io/model_folder.h"
#include "mvd/sample/resize.h"
#include "mvd/sample/schedule.h"

namespace mvd {

class Model {
 public:
  // Opens a pipeline's folder or one component's own folder and reads every config in it; weights are read
  // later. Error(kNotFound) where the folder does not exist, Error(kBadInput) naming file and key otherwise.
  static Model Open(const std::filesystem::path& folder);
  // A preset with seeded random weights.
  static Model Random(const Preset& preset, uint64_t seed, DType dtype, const Threads& threads);

  const ModelConfigs& configs() const { return configs_; }
  const SchedulerConfig& scheduler() const { return scheduler_; }
  const std::string& scheduler_file() const { return scheduler_file_; }
  const ClipPreprocessing& preprocessing() const { return preprocessing_; }
  const ClipDefaults& defaults() const { return defaults_; }
  const std::string& origin() const { return origin_; }
  bool is_pipeline() const { return is_pipeline_; }

  // Whether the model can run this component.
  bool Has(std::string_view component) const;
  // Its weights. Error(kBadInput) where the model has no such component.
  std::unique_ptr<WeightSource> Weights(std::string_view component) const;

 private:
  void ReadComponent(const ModelComponent& component);

  ModelConfigs configs_;
  SchedulerConfig scheduler_ = SvdSchedulerConfig();
  std::string scheduler_file_ = "scheduler_config.json";
  ClipPreprocessing preprocessing_;
  ClipDefaults defaults_;
  std::string origin_;
  bool is_pipeline_ = false;
  std::map<std::string, std::filesystem::path, std::less<>> folders_;  // component name -> folder
  // Of a random model.
  bool random_ = false;
  uint64_t seed_ = 0;
  DType dtype_ = DType::kF32;
  Threads threads_;
};

// The folder's layout for `init`: model_index.json and every config of a preset, without weights.
void WriteConfigs(const Preset& preset, const std::filesystem::path& folder);

}  // namespace mvd
