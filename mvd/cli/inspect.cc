// inspect: what a file or folder is. Reads headers only.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <set>

#include "mvd/cli/command.h"
#include "mvd/cli/flags.h"
#include "mvd/compress/describe_compression.h"
#include "mvd/engine/bundled_models.h"
#include "mvd/engine/model.h"
#include "mvd/io/foreign_file.h"
#include "mvd/io/model_folder.h"
#include "mvd/io/safetensors.h"
#include "mvd/media/clip.h"
#include "mvd/media/image.h"

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

nlohmann::json InspectWeights(const fs::path& path) {
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
  if (!fs::is_directory(component.folder)) {
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

nlohmann::json InspectModel(const fs::path& path) {
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

// The recipe as JSON where it parses as such, else as the text it is.
nlohmann::json RecipeOf(const fs::path& path) {
  const auto recipe = ReadRecipe(path);
  if (!recipe) return nullptr;
  nlohmann::json parsed = nlohmann::json::parse(*recipe, nullptr, false);
  return parsed.is_discarded() ? nlohmann::json(*recipe) : parsed;
}

nlohmann::json InspectMedia(const fs::path& path) {
  const ClipInfo info = ProbeClip(path);
  const bool still = info.frames == 1 && info.seconds == 0;
  nlohmann::json object = {{"file", path.string()}, {"kind", still ? "image" : "clip"},
                           {"format", info.format}, {"width", info.width},
                           {"height", info.height}, {"recipe", RecipeOf(path)}};
  if (!still) {
    object.update({{"codec", info.codec},
                   {"pixels", info.pixels},
                   {"fps", info.fps},
                   {"frames", info.frames},
                   {"seconds", info.seconds}});
  }
  return object;
}

bool IsModelFolder(const fs::path& path) {
  for (const char* name :
       {"model_index.json", "config.json", "scheduler_config.json", "preprocessor_config.json"}) {
    if (fs::exists(path / name)) return true;
  }
  return false;
}

nlohmann::json InspectPath(const fs::path& path) {
  if (!fs::exists(path)) ThrowNotFound(path.string());
  if (fs::is_directory(path)) return IsModelFolder(path) ? InspectModel(path) : InspectMedia(path);
  if (HasWeightsEnding(path.filename().string())) return InspectWeights(path);
  return InspectMedia(path);
}

void Print(const nlohmann::json& object) {
  for (const auto& [key, value] : object.items()) {
    if (key == "tensors") {
      for (const auto& tensor : value) {
        std::printf("  %-80s %-8s %s\n", tensor["name"].get<std::string>().c_str(),
                    tensor["dtype"].get<std::string>().c_str(), tensor["shape"].dump().c_str());
      }
    } else if (key == "components") {
      for (const auto& [name, component] : value.items()) {
        std::printf("  %-18s %-40s", name.c_str(), component["class"].get<std::string>().c_str());
        if (component.contains("parameters")) {
          std::printf(" %5zu tensors, %.1f M parameters, %s", component["tensors"].get<size_t>(),
                      double(component["parameters"].get<int64_t>()) / 1e6,
                      component["dtype"].get<std::string>().c_str());
        }
        std::printf("\n");
        for (const auto& line : component.value("compression", nlohmann::json::array()))
          std::printf("    %s\n", line.get<std::string>().c_str());
        if (!component["runs"]) std::printf("    no part of mobilevd runs this\n");
        if (component.contains("note")) std::printf("    %s\n", component["note"].get<std::string>().c_str());
        for (const auto& line : component.value("doubts", nlohmann::json::array()))
          std::printf("    warning: %s\n", line.get<std::string>().c_str());
      }
    } else {
      const std::string text =
          value.is_string() ? value.get<std::string>() : value.dump(value.is_object() ? 2 : -1);
      std::printf("%-12s %s\n", key.c_str(), text.c_str());
    }
  }
}

}  // namespace

Runner DeclareInspect(CLI::App& app) {
  auto paths = std::make_shared<std::vector<std::string>>();
  app.add_option("path", *paths, "Model folder or name, safetensors file, clip or picture")->required();
  return [paths](Session& session) {
    for (const std::string& path : *paths) {
      const nlohmann::json object = InspectPath(FindModel(path));
      if (session.json)
        std::cout << object.dump() << "\n";
      else
        Print(object);
    }
    return Exit::kOk;
  };
}

}  // namespace mvd::cli
