// The fast executor: weights packed once, one arena planned from the graph, kernels by oneDNN and by our own
// table.
#pragma once

#include <memory>

#include "mvd/exec/executor.h"

namespace mvd {

bool HasCpuExecutor();  // whether this build has it; it stands on oneDNN

// Honours all of ExecOptions; dtype f32 or bf16. Throws Error(kUsage) where the ISA asked for is absent or
// cannot compute the type, and in a build without oneDNN. The graph's passes are the caller's to run before
// Load.
std::unique_ptr<Executor> MakeCpuExecutor(const ExecOptions& options);

}  // namespace mvd
