#include "mvd/io/model_folder.h"

#include <algorithm>
#include <array>

#include "mvd/base/error.h"
#include "mvd/base/file_error.h"
#include "mvd/base/paths.h"

namespace mvd {
namespace fs = std::filesystem;
namespace {

using nlohmann::json;

constexpr const char* kPipelineFile = "model_index.json";
// The first that exists is the component's config.
constexpr std::array<const char*, 3> kConfigFiles = {"config.json", "scheduler_config.json",
                                                     "preprocessor_config.json"};

bool EntryExists(const fs::path& path) {
  std::error_code code;
  return fs::exists(fs::symlink_status(path, code));
}

json ReadObject(const fs::path& folder, const std::string& name) {
  json value = ReadJsonInside(folder, name);
  if (!value.is_object())
    ThrowBadInput((folder / name).string(), "is ", value.type_name(), ", expected an object");
  return value;
}

// diffusers writes _class_name, transformers a list of architectures or the processor's type.
std::string ClassNameOf(const json& config) {
  for (const char* key : {"_class_name", "image_processor_type", "feature_extractor_type"}) {
    const auto found = config.find(key);
    if (found != config.end() && found->is_string()) return found->get<std::string>();
  }
  const auto found = config.find("architectures");
  if (found != config.end() && found->is_array() && !found->empty() && found->front().is_string()) {
    return found->front().get<std::string>();
  }
  return config.value("model_type", json()) == "clip_vision_model" ? "CLIPVisionModelWithProjection" : "";
}

// Fills config and config_file, and class_name where the pipeline did not say it.
void ReadConfig(ModelComponent& component) {
  for (const char* name : kConfigFiles) {
    if (!EntryExists(component.folder / name)) continue;
    component.config_file = name;
    component.config = ReadObject(component.folder, name);
    if (component.class_name.empty()) component.class_name = ClassNameOf(component.config);
    return;
  }
}

// One entry of model_index.json: ["diffusers", "UNetSpatioTemporalConditionModel"], or nulls for a component
// that this pipeline goes without.
std::optional<ModelComponent> ReadEntry(const fs::path& folder, const std::string& name, const json& value) {
  const std::string file = (folder / kPipelineFile).string();
  const auto is_text = [](const json& item) { return item.is_string() || item.is_null(); };
  if (value.size() != 2 || !is_text(value[0]) || !is_text(value[1])) {
    ThrowBadInput(file, "component '", Printable(name), "' is no pair of library and class");
  }
  if (value[1].is_null()) return std::nullopt;
  if (!IsPlainBaseName(name))
    ThrowBadInput(file, "component '", Printable(name), "' is no plain folder name");
  ModelComponent component;
  component.name = name;
  component.library = value[0].is_string() ? value[0].get<std::string>() : "";
  component.class_name = value[1].get<std::string>();
  component.folder = folder / name;
  ReadConfig(component);
  return component;
}

std::string LastName(const fs::path& path) {
  std::error_code code;  // the working folder may be gone
  const fs::path whole = fs::absolute(path, code).lexically_normal();
  if (code) ThrowUnreadable(path.string(), code.value());
  return (whole.has_filename() ? whole : whole.parent_path()).filename().string();
}

}  // namespace

ModelFolder ModelFolder::Open(const fs::path& path) {
  if (!PathExists(path)) ThrowNotFound(path.string());
  if (!IsFolder(path))
    ThrowBadInput(path.string(),
                  "is no folder, expected a model folder (mobilevd convert makes one of a single file)");
  ModelFolder model;
  model.path = path;
  if (EntryExists(path / kPipelineFile)) {
    model.is_pipeline = true;
    model.index = ReadObject(path, kPipelineFile);
    for (const auto& [name, value] : model.index.items()) {
      if (name.starts_with('_') || !value.is_array()) continue;  // the pipeline's own settings
      if (std::optional<ModelComponent> component = ReadEntry(path, name, value)) {
        model.components.push_back(std::move(*component));
      }
    }
    return model;
  }
  ModelComponent component;
  component.name = LastName(path);
  component.folder = path;
  ReadConfig(component);
  if (component.config_file.empty()) {
    ThrowBadInput(path.string(),
                  "is no model folder: expected model_index.json (a pipeline), or config.json, "
                  "scheduler_config.json or preprocessor_config.json (one component)");
  }
  model.components.push_back(std::move(component));
  return model;
}

const ModelComponent* ModelFolder::Find(const std::string& name) const {
  for (const ModelComponent& component : components) {
    if ((!is_pipeline || component.name == name) && !component.config_file.empty()) return &component;
  }
  return nullptr;
}

const ModelComponent& ModelFolder::Component(const std::string& name) const {
  if (const ModelComponent* found = Find(name)) return *found;
  const auto listed = std::find_if(components.begin(), components.end(),
                                   [&name](const ModelComponent& c) { return c.name == name; });
  if (listed == components.end()) {
    ThrowBadInput((path / kPipelineFile).string(), "lists no component '", Printable(name), "'");
  }
  if (!IsFolder(listed->folder)) {
    ThrowBadInput(listed->folder.string(), "is missing, ", kPipelineFile, " lists the component");
  }
  ThrowBadInput(listed->folder.string(),
                "holds no config.json, scheduler_config.json or preprocessor_config.json");
}

}  // namespace mvd
