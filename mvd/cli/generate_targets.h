// Whether targets may be written, asked before anything is computed.
#pragma once

#include <filesystem>
#include <vector>

#include "mvd/cli/generate_plan.h"

namespace mvd::cli {

// Error(kUsage) where a target, or the recipe beside it, is one of the files in `read` under whatever name
// (links of both kinds are seen through), or is a folder of frames that holds one.
void CheckNothingReadIsReplaced(const std::vector<Job>& jobs, const std::vector<std::filesystem::path>& read);

// Every file below a model's folder, or its single file; nothing for an empty path.
std::vector<std::filesystem::path> FilesOfModel(const std::filesystem::path& folder);

// Makes the plan's folder, and for each job the temporary file that it will be written to, which is then
// removed. Throws what writing would throw: no such folder, no permission, a name that is too long, a target
// of another kind.
void CheckTargets(const Plan& plan, bool overwrite);

}  // namespace mvd::cli
