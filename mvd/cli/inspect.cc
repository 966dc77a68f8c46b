// inspect: what files and folders are. Reads headers only.
#include <cstdio>

#include "mvd/cli/command.h"
#include "mvd/cli/file_kind.h"
#include "mvd/cli/output.h"
#include "mvd/engine/bundled_models.h"
#include "mvd/io/json_text.h"

namespace mvd::cli {
namespace {

void Print(const nlohmann::json& object) {
  for (const auto& [key, value] : object.items()) {
    if (key == "tensors") {
      for (const auto& tensor : value) {
        std::printf("  %-80s %-8s %s\n", Shown(tensor["name"].get<std::string>()).c_str(),
                    tensor["dtype"].get<std::string>().c_str(), tensor["shape"].dump().c_str());
      }
    } else if (key == "components") {
      for (const auto& [name, component] : value.items()) {
        std::printf("  %-18s %-40s", Shown(name).c_str(),
                    Shown(component["class"].get<std::string>()).c_str());
        if (component.contains("parameters")) {
          std::printf(" %5zu tensors, %.1f M parameters, %s", component["tensors"].get<size_t>(),
                      double(component["parameters"].get<int64_t>()) / 1e6,
                      component["dtype"].get<std::string>().c_str());
        }
        std::printf("\n");
        for (const auto& line : component.value("compression", nlohmann::json::array()))
          std::printf("    %s\n", Shown(line.get<std::string>()).c_str());
        if (!component["runs"]) std::printf("    no part of mobilevd runs this\n");
        if (component.contains("note"))
          std::printf("    %s\n", Shown(component["note"].get<std::string>()).c_str());
        for (const auto& line : component.value("doubts", nlohmann::json::array()))
          std::printf("    warning: %s\n", Shown(line.get<std::string>()).c_str());
      }
    } else {
      const std::string text =
          value.is_string() ? Shown(value.get<std::string>()) : JsonText(value, value.is_object() ? 2 : -1);
      std::printf("%-12s %s\n", key.c_str(), text.c_str());
    }
  }
}

// One path that fails ends the command with its own code; of several, the others are told.
Exit Inspect(Session& session, const std::vector<std::string>& paths) {
  nlohmann::json files = nlohmann::json::array();
  size_t failed = 0;
  for (const std::string& path : paths) {
    try {
      files.push_back(DescribePath(FindModel(path)));
    } catch (const Error& error) {
      if (paths.size() == 1) throw;
      ++failed;
      PrintError(error.what());
      files.push_back({{"file", path}, {"error", error.what()}, {"exit", int(error.exit())}});
      continue;
    }
    if (!session.json) Print(files.back());
  }
  if (session.json) {
    const nlohmann::json object = paths.size() == 1 ? files[0] : nlohmann::json{{"files", files}};
    PrintJson(object);
  }
  return failed ? Exit::kPartial : Exit::kOk;
}

}  // namespace

Runner DeclareInspect(CLI::App& app) {
  auto paths = std::make_shared<std::vector<std::string>>();
  AddOption(app,
            {.flags = "path",
             .help = "Model folder or name, safetensors file, clip, picture, folder of pictures, shard or "
                     "folder of shards, recipe, JSON or TOML",
             .value = "PATH",
             .required = true},
            *paths);
  return [paths](Session& session) { return Inspect(session, *paths); };
}

}  // namespace mvd::cli
