// Stable Video Diffusion in one file under Stability AI's names, read as the folder that diffusers makes of
// it.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "mvd/base/weight_source.h"
#include "mvd/io/model_folder.h"
#include "mvd/models/presets.h"
#include "mvd/models/stability_names.h"

namespace mvd {

class SingleFile : public std::enable_shared_from_this<SingleFile> {
 public:
  // Error(kNotFound) where `path` is absent; Error(kBadInput) where it is no safetensors file, or its tensors
  // are not those of a known model.
  static std::shared_ptr<SingleFile> Open(const std::filesystem::path& path);
  // Whether the file's names are Stability AI's.
  static bool Is(const SafetensorsFile& file);

  const Preset& preset() const { return preset_; }
  // Why it was taken for that preset, a sentence: both models have the same tensors.
  const std::string& assumed() const { return assumed_; }
  std::string path() const { return weights_.Origin(); }

  // Whether the file has the network of a pipeline's folder, "unet", "vae" or "image_encoder".
  bool Has(std::string_view folder) const { return parts_.contains(folder); }
  // Its tensors under diffusers' names, sorted.
  std::vector<std::string> Names(std::string_view folder) const;
  // The source keeps this object alive.
  std::unique_ptr<WeightSource> Weights(std::string_view folder) const;

  // What the file's tensor becomes: "unet/conv_in.weight".
  std::vector<std::string> Becomes(const std::string& name) const;
  // Tensors that have no place in the model, and that the released files do not have either.
  std::vector<std::string> Unused() const;

 private:
  class Source;
  struct Part {
    std::string from;  // in the file
    StabilityForm form;
    int part;
  };

  explicit SingleFile(SafetensorsFile file) : weights_(std::move(file)) {}
  void MapNames();
  void ChoosePreset(const std::string& file_name, const std::map<std::string, std::string>& metadata);
  struct Mismatch {
    size_t count = 0;
    std::string first;  // a clause
  };
  Mismatch Compare(const Preset& preset) const;
  Shape ShapeOf(const Part& part) const;

  mutable FolderWeights weights_;  // reading fills its buffers
  StabilityLayout layout_;
  std::map<std::string, std::map<std::string, Part>, std::less<>>
      parts_;  // folder -> diffusers' name -> where
  Preset preset_;
  std::string assumed_;
};

}  // namespace mvd
