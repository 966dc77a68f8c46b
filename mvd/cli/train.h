// The options of `train`, and the small commands below it.
#pragma once

#include <string>
#include <vector>

#include "mvd/cli/command.h"

namespace mvd::cli {

struct TrainRunOptions {
  std::string file;                    // TOML; empty: defaults
  std::vector<std::string> overrides;  // key=value
  bool dry_run = false, resume = false, export_only = false;
  double rate = 0.1;  // TFLOP/s that a process sustains, for the plan
};

template <class Config>
Exit RunTrain(Session& session, const TrainRunOptions& options);

}  // namespace mvd::cli
