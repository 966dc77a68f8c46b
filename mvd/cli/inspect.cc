// inspect: what a file or folder is. Reads headers only.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "mvd/base/paths.h"
#include "mvd/cli/command.h"
#include "mvd/cli/flags.h"
#include "mvd/compress/describe_compression.h"
#include "mvd/engine/bundled_models.h"
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
                       {"dtype", tensor.is_f8 ? "f8_e4m3" : Name(tensor.info.dtype)},
                       {"shape", tensor.info.shape.dims()},
                       {"bytes", tensor.bytes}});
  }
  return tensors;
}

nlohmann::json InspectWeights(const fs::path& path) {
  const SafetensorsFile file = SafetensorsFile::Open(path);
  return {{"file", path.string()},
          {"kind", "safetensors"},
          {"bytes", file.file_size()},
          {"metadata", file.metadata()},
          {"tensors", TensorsJson(file)}};
}

nlohmann::json InspectModel(const fs::path& path) {
  const ModelFolder folder = ModelFolder::Open(path);
  nlohmann::json components = nlohmann::json::object();
  int64_t parameters_in_all = 0;
  for (const ModelComponent& listed : folder.components) {
    const ModelComponent& component = folder.Component(listed.name);
    nlohmann::json entry = {{"class", component.class_name}, {"config", component.config}};
    if (component.class_name == SvdUnetConfig::kClassName)
      entry["compression"] = DescribeCompression(
          ReadConfig<SvdUnetConfig>(component.config, (component.folder / component.config_file).string()));
    if (FindWeightFiles(component.folder)) {
      const FolderWeights weights(component.folder);
      int64_t parameters = 0;
      std::string dtype;
      for (const std::string& name : weights.Names()) {
        const auto info = weights.Find(name);
        parameters += info->shape.elements();
        dtype = Name(info->dtype);
      }
      entry["tensors"] = weights.Names().size();
      entry["parameters"] = parameters;
      entry["dtype"] = dtype;
      parameters_in_all += parameters;
    }
    components[component.name] = entry;
  }
  return {{"file", path.string()},           {"kind", "model"},
          {"pipeline", folder.is_pipeline},  {"hash", ModelHash(path, {HardwareThreads()})},
          {"parameters", parameters_in_all}, {"components", components}};
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
    if (PathExists(path / name)) return true;
  }
  return false;
}

nlohmann::json InspectPath(const fs::path& path) {
  if (!PathExists(path)) ThrowNotFound(path.string());
  if (IsFolder(path)) return IsModelFolder(path) ? InspectModel(path) : InspectMedia(path);
  if (path.extension() == ".safetensors") return InspectWeights(path);
  return InspectMedia(path);
}

void Print(const nlohmann::json& object) {
  for (const auto& [key, value] : object.items()) {
    if (key == "tensors") {
      for (const auto& tensor : value) {
        std::printf("  %-80s %-5s %s\n", tensor["name"].get<std::string>().c_str(),
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
