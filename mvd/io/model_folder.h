// Model folders in diffusers' layout: a pipeline's folder (model_index.json) or one component's own folder.
// Every file in one is opened by MappedFile::OpenInside, which says where links may lead.
#pragma once

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mvd/base/parallel.h"
#include "mvd/base/weight_source.h"
#include "mvd/io/json.h"
#include "mvd/io/safetensors.h"

namespace mvd {

// The safetensors files that hold a component's weights.
struct WeightFiles {
  std::filesystem::path folder;
  std::string index;                              // base name of the index; empty where one file holds all
  std::vector<std::string> files;                 // base names, sorted
  std::vector<std::string> rivals;                // base names of other weights that could be meant
  std::map<std::string, std::string> weight_map;  // tensor -> base name, as the index says; empty without one
};

// Picks the weights of a component's folder; nothing where it holds none of a known name. The order of
// preference is kWeightNames in weight_files.cc, full precision first. Error(kNotFound) where the folder does
// not exist; Error(kBadInput) where it holds pickled weights only, or a bad index.
std::optional<WeightFiles> FindWeightFiles(const std::filesystem::path& folder);

// "weight_map" of an index file's text: tensor -> shard. Throws Error(kBadInput) naming `file` where it is no
// such object, or a shard is no plain base name that ends in ".safetensors". Pure, for the fuzzer.
std::map<std::string, std::string> ParseShardIndex(std::string_view text, const std::string& file);

// Weights of one component's folder, one file or shards. Files are mapped and checked by the constructor:
// each shard exists, holds what the index says it does and nothing else. Error(kNotFound) only where the
// folder itself does not exist; all else is Error(kBadInput).
//
// Weights in 8-bit floats may have a scale beside them, MODULE.scale_weight or MODULE.weight_scale for
// MODULE.weight, one number or one per output channel: readers get the product in f32, and neither scales
// nor what belongs to scaled inputs has a name here.
class FolderWeights : public WeightSource {
 public:
  explicit FolderWeights(const std::filesystem::path& folder);
  explicit FolderWeights(SafetensorsFile file);  // one file of any place

  std::string Origin() const override { return origin_; }
  std::optional<TensorInfo> Find(const std::string& name) const override;
  // May be unaligned, see SafetensorsFile::Get.
  TensorView Get(const std::string& name) override;
  void Release(const std::string& name) override;

  std::vector<std::string> Names() const;  // sorted
  const std::vector<SafetensorsFile>& files() const { return files_; }
  // Of `name`, as its file has it. Throws where it is absent.
  const FileType& TypeOf(const std::string& name) const { return *Entry(name).type; }
  // Names of other weights in the folder that could be meant; those that are read come first, then the
  // others. Empty where there is no doubt.
  const std::vector<std::string>& rivals() const { return rivals_; }

 private:
  void AddFile(SafetensorsFile file);
  void CheckIndex(const WeightFiles& found) const;
  void FindScales();
  void CheckNotQuantized(const std::string& weight) const;
  void AddScale(const std::string& weight, const std::string& scale);
  const SafetensorsFile& FileOf(const std::string& name) const;
  const SafetensorsTensor& Entry(const std::string& name) const { return FileOf(name).tensors().at(name); }

  std::string origin_;
  std::vector<SafetensorsFile> files_;
  std::vector<std::string> rivals_;
  std::map<std::string, size_t> file_of_;             // tensor -> index into files_
  std::map<std::string, std::vector<float>> scales_;  // weight -> one number, or one per row
  std::map<std::string, Tensor> scaled_;              // weights as handed out, until Release
};

struct ModelComponent {
  std::string name;        // "unet"; in a component's own folder the folder's name
  std::string library;     // "diffusers"; empty in a component's own folder
  std::string class_name;  // "UNetSpatioTemporalConditionModel"; empty where nothing tells
  std::filesystem::path folder;
  std::string config_file;  // base name of the file `config` came from; empty where the folder has none
  nlohmann::json config;    // an object; null where the folder has none
};

// A folder as --model takes it.
struct ModelFolder {
  std::filesystem::path path;
  bool is_pipeline = false;                // has model_index.json
  nlohmann::json index;                    // model_index.json, null without
  std::vector<ModelComponent> components;  // sorted by name; components set to null are left out

  // Error(kNotFound) where `path` does not exist, Error(kBadInput) where it is no model folder or a JSON file
  // in it is bad. A pipeline's component whose own folder is missing is an error only once asked for.
  static ModelFolder Open(const std::filesystem::path& path);

  // The component with its config. In a component's own folder, that component whatever the name: the caller
  // looks at class_name. Error(kBadInput) where it is not listed, or its folder or config is missing.
  const ModelComponent& Component(const std::string& name) const;
  const ModelComponent* Find(const std::string& name) const;  // nullptr where Component would throw
};

// 32 hexadecimal digits that name the model's content: of a folder model_index.json, and each component's
// config and chosen weight files, of a single file all of it (XXH3, 128 bits). Independent of the folder's
// place, file times and threads. An identity for caches and recipes, no defence against forgery. Runs at the
// speed of memory once files are cached. Throws as ModelFolder::Open and FindWeightFiles do.
std::string ModelHash(const std::filesystem::path& folder, const Threads& threads = {});

}  // namespace mvd
