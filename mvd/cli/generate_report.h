// What a run of generate says at its end: the object of --json, or the paths of the clips.
#pragma once

#include <string>
#include <vector>

#include "mvd/cli/command.h"
#include "mvd/cli/generate_run.h"

namespace mvd::cli {

struct GenerateReport {
  std::vector<Outcome> outcomes;
  std::vector<Job> skipped;
  std::vector<std::string> warnings;
  std::string recipe;                   // the file that options came from; empty: none
  std::vector<std::string> overridden;  // keys of the recipe that the command line said otherwise
  int64_t planned_bytes = 0;
};

// "a.mp4: 14 frames of 768x512, seed 42; load 0.1 s, ..."
std::string MadeLine(const Outcome& outcome);

// Prints, and returns the exit code: that of the one clip, or kPartial where part of a batch failed.
Exit PrintReport(const Session& session, const GenerateReport& report);

}  // namespace mvd::cli
