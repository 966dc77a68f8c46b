// A run's options in the form in which its checkpoints and its folder keep them.
#pragma once

#include "mvd/train/loop/task.h"

namespace mvd {

// Fills config_json, config_toml and check_resume.
template <class Config>
void SetOptions(const Config& config, TrainTask& task) {
  const auto held = std::make_shared<Config>(config);
  const std::vector<Option> options = ListOptions(*held);
  Config defaults;
  task.config_json = WriteOptionsJson(options);
  task.config_toml = WriteToml(options, ListOptions(defaults), "mobilevd train " + task.kind);
  task.check_resume = [held](const nlohmann::json& stored, const std::string& file) {
    Config before;
    const std::vector<Option> then = ListOptions(before);
    ReadOptionsJson(stored, file, then);
    std::vector<std::string> notes;
    for (const Difference& d : CheckResume(then, ListOptions(*held)))
      notes.push_back(d.key + " was " + d.before + ", now " + d.after);
    return notes;
  };
}

}  // namespace mvd
