#include "mvd/cli/demo_evaluations.h"

#include "mvd/base/error.h"
#include "mvd/base/paths.h"
#include "mvd/io/json.h"

namespace mvd::cli {

DemoEvaluations::DemoEvaluations(const std::filesystem::path& folder) {
  if (!IsFolder(folder)) ThrowNotFound(folder.string());
  for (const std::filesystem::path& file : ListFolder(folder)) {
    if (file.extension() != ".json") continue;
    const nlohmann::json evaluation = ReadJsonFile(file);
    const bool fits =
        evaluation.is_object() && evaluation.contains("figures") && evaluation["figures"].is_array();
    if (!fits) ThrowBadInput(file.string(), "holds no figures, expected what `evaluate --json` prints");
    for (const nlohmann::json& figure : evaluation["figures"]) {
      for (const char* key : {"measure", "subject"})
        if (!figure.is_object() || !figure.contains(key) || !figure[key].is_string())
          ThrowBadInput(file.string(), "has a figure without text for '", key, "'");
    }
    runs_[file.stem().string()] = evaluation;
  }
}

std::optional<double> DemoEvaluations::Figure(const std::string& run, const std::string& measure) const {
  const auto found = runs_.find(run);
  if (found == runs_.end()) return std::nullopt;
  for (const nlohmann::json& figure : found->second["figures"]) {
    if (figure["measure"] == measure && figure["subject"] == "model" && figure.contains("value") &&
        figure["value"].is_number())
      return figure["value"].get<double>();
  }
  return std::nullopt;
}

std::optional<double> DemoEvaluations::Cost(const std::string& run, const std::string& key) const {
  const auto found = runs_.find(run);
  if (found == runs_.end() || !found->second.contains(key) || !found->second[key].is_number())
    return std::nullopt;
  return found->second[key].get<double>();
}

std::vector<std::string> DemoEvaluations::Runs() const {
  std::vector<std::string> names;
  for (const auto& [name, evaluation] : runs_) names.push_back(name);
  return names;
}

}  // namespace mvd::cli
