// How much memory a run may use, and how many frames the decoder may therefore see at once.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "mvd/cli/generate_options.h"
#include "mvd/cli/generate_plan.h"
#include "mvd/engine/svd_engine.h"

namespace mvd::cli {

int64_t ChooseChunk(const GenerateOptions& options, const SvdEngine& engine, const SvdOptions& pipeline,
                    int64_t limit);

struct AnnouncedMemory {
  int64_t bytes = 0;
  std::string line;  // what to tell the user
};
// A clip to be made and its own sizes.
struct PlannedClip {
  Job job;
  GenerateOptions options;
  SvdOptions pipeline;
};
// The process as it stands and the largest stage of all clips, reading of pictures and writing of clips among
// them. Error(kOutOfMemory) above `limit` (0: none).
AnnouncedMemory PlanMemory(const std::vector<PlannedClip>& clips, const SvdEngine& engine, int64_t limit);

}  // namespace mvd::cli
