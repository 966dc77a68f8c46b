// A model as the commands see it: configs and weights, from a folder or from a preset with random weights.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "mvd/base/parallel.h"
#include "mvd/base/weight_source.h"
#include "mvd/engine/components.h"
#include "mvd/engine/single_file.h"
#include "mvd/io/model_folder.h"
#include "mvd/sample/resize.h"
#include "mvd/sample/schedule.h"

namespace mvd {

class Model {
 public:
  // Opens a pipeline's folder or one component's own folder and reads every config in it, or Stability AI's
  // single file, whose configs are a preset's; weights are read later. Error(kNotFound) where the path does
  // not exist, Error(kBadInput) naming file and key otherwise.
  static Model Open(const std::filesystem::path& path);
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

  // What its weight files make one doubt, a line each: tensors that no network takes, two sets of weights in
  // one folder. Reads headers. Folders without weights are passed over, so that configs alone will do.
  std::vector<std::string> Doubts() const;
  // What was assumed of the model, a line; empty where its configs say everything.
  std::string Assumed() const { return single_ ? single_->assumed() : ""; }

 private:
  static Model OpenSingle(const std::filesystem::path& path);
  void ReadComponent(const ModelComponent& component);

  ModelConfigs configs_;
  SchedulerConfig scheduler_ = SvdSchedulerConfig();
  std::string scheduler_file_ = "scheduler_config.json";
  ClipPreprocessing preprocessing_;
  ClipDefaults defaults_;
  std::string origin_;
  bool is_pipeline_ = false;
  std::map<std::string, std::filesystem::path, std::less<>> folders_;  // component name -> folder
  std::shared_ptr<const SingleFile> single_;                           // instead of folders
  // Of a random model.
  bool random_ = false;
  uint64_t seed_ = 0;
  DType dtype_ = DType::kF32;
  Threads threads_;
};

// Whether a part of mobilevd runs components of this class; a pipeline's others can only be inspected.
bool RunsClass(std::string_view class_name);

// The folder's layout: model_index.json and every config of a preset, without weights. `tiny_decoder` says
// whether there is a taesd.
void WriteConfigs(const Preset& preset, const std::filesystem::path& folder, bool tiny_decoder = true);

}  // namespace mvd
