#include "mvd/cli/describe_model.h"

#include <nlohmann/json.hpp>
#include <set>

#include "mvd/base/error.h"
#include "mvd/base/parallel.h"
#include "mvd/base/paths.h"
#include "mvd/cli/flags.h"
#include "mvd/compress/describe_compression.h"
#include "mvd/engine/model.h"
#include "mvd/io/model_folder.h"
#include "mvd/io/safetensors.h"

namespace mvd::cli {
namespace fs = std::filesystem;
namespace {

nlohmann::json TensorsJson(const SafetensorsFile& file) {
  nlohmann::json tensors = nlohmann::json::array();
  for (const auto& [name, tensor] : file.tensors()) {
    tensors.push_back({{"name", name},
                       {"dtype", tensor.type->LowerName()},
                       {"shape", tensor.info.shape.dims()},
                       {"bytes", tensor.bytes}});
  }
  return tensors;
}

nlohmann::json InspectSingleFile(const fs::path& path, nlohmann::json& tensors) {
  const std::shared_ptr<SingleFile> model = SingleFile::Open(path);
  for (nlohmann::json& tensor : tensors) tensor["becomes"] = model->Becomes(tensor["name"]);
  nlohmann::json components = nlohmann::json::object();
  for (const char* folder : {"unet", "vae", "image_encoder"}) {
    if (model->Has(folder)) components[folder] = model->Names(folder).size();
  }
  return {{"preset", model->preset().name},
          {"assumed", model->assumed()},
          {"tensors", components},
          {"unused", model->Unused()}};
}

}  // namespace

nlohmann::json DescribeWeights(const fs::path& path) {
  const SafetensorsFile file = SafetensorsFile::Open(path);
  nlohmann::json object = {{"file", path.string()},
                           {"kind", "safetensors"},
                           {"bytes", file.file_size()},
                           {"metadata", file.metadata()},
                           {"tensors", TensorsJson(file)}};
  if (!SingleFile::Is(file)) return object;
  try {
    object["model"] = InspectSingleFile(path, object["tensors"]);
  } catch (const Error& error) {
    object["note"] = error.what();  // another model's tensors can be listed all the same
  }
  return object;
}

namespace {

void InspectComponentWeights(const ModelComponent& component, nlohmann::json& entry) {
  const FolderWeights weights(component.folder);
  int64_t parameters = 0;
  std::set<std::string> types;
  for (const std::string& name : weights.Names()) {
    parameters += weights.Find(name)->shape.elements();
    types.insert(weights.TypeOf(name).LowerName());
  }
  entry["tensors"] = weights.Names().size();
  entry["parameters"] = parameters;
  entry["dtype"] = Join({types.begin(), types.end()});
}

nlohmann::json InspectComponent(const ModelComponent& component) {
  const bool runs = RunsClass(component.class_name);
  nlohmann::json entry = {{"class", component.class_name}, {"config", component.config}, {"runs", runs}};
  if (!IsFolder(component.folder)) {
    entry["note"] = "its folder is missing";
    return entry;
  }
  if (component.class_name == SvdUnetConfig::kClassName)
    entry["compression"] = DescribeCompression(
        ReadConfig<SvdUnetConfig>(component.config, (component.folder / component.config_file).string()));
  try {
    if (FindWeightFiles(component.folder)) InspectComponentWeights(component, entry);
  } catch (const Error& error) {
    if (runs) throw;
    entry["note"] = error.what();  // whatever is wrong with it, nothing here reads it
  }
  if (!NetworksOf(component.class_name).empty() && entry.contains("tensors"))
    entry["doubts"] = Model::Open(component.folder).Doubts();
  return entry;
}

}  // namespace

nlohmann::json DescribeModel(const fs::path& path) {
  const ModelFolder folder = ModelFolder::Open(path);
  nlohmann::json components = nlohmann::json::object();
  int64_t parameters = 0;
  bool all_read = true;
  for (const ModelComponent& component : folder.components) {
    if (RunsClass(component.class_name)) folder.Component(component.name);  // it is there, with its config
    nlohmann::json entry = InspectComponent(component);
    parameters += entry.value("parameters", int64_t{0});
    all_read = all_read && !entry.contains("note");
    components[component.name] = std::move(entry);
  }
  nlohmann::json hash;  // null where a part of the model cannot be read
  if (all_read) hash = ModelHash(path, {HardwareThreads()});
  return {{"file", path.string()}, {"kind", "model"},          {"pipeline", folder.is_pipeline},
          {"hash", hash},          {"parameters", parameters}, {"components", components}};
}

}  // namespace mvd::cli
