// How much memory a run may use, and how many frames the decoder may therefore see at once.
#pragma once

#include <cstdint>
#include <string>

#include "mvd/cli/generate_options.h"
#include "mvd/engine/svd_engine.h"

namespace mvd::cli {

int64_t ChooseChunk(const GenerateOptions& options, const SvdEngine& engine, const SvdOptions& pipeline,
                    int64_t limit);

struct AnnouncedMemory {
  int64_t bytes = 0;
  std::string line;  // what to tell the user
};
// The process as it stands, the largest stage, and one weight on its way in. Error(kOutOfMemory) above
// `limit` (0: none).
AnnouncedMemory PlanMemory(const std::vector<StageMemory>& stages, int64_t limit);

}  // namespace mvd::cli
