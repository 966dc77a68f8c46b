// What `evaluate --json` said of the models that recipes/demo/ladder.sh made: the demo's rows of the paper's
// tables.
#pragma once

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace mvd::cli {

class DemoEvaluations {
 public:
  DemoEvaluations() = default;
  // Every NAME.json of the folder. Error(kNotFound) where there is none of that name, Error(kBadInput) naming
  // a file that is no evaluation.
  explicit DemoEvaluations(const std::filesystem::path& folder);

  bool empty() const { return runs_.empty(); }
  bool Has(const std::string& run) const { return runs_.contains(run); }
  // A figure of the run's model: "Frechet distance", "flow error", "motion, bucket 20", ...
  std::optional<double> Figure(const std::string& run, const std::string& measure) const;
  // "flops" of a clip, "parameters", "evaluations".
  std::optional<double> Cost(const std::string& run, const std::string& key) const;
  std::vector<std::string> Runs() const;

 private:
  std::map<std::string, nlohmann::json> runs_;
};

}  // namespace mvd::cli
