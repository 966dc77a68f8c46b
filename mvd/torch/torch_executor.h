// The executor on LibTorch: the graph that training differentiates, under the contract of all executors.
#pragma once

#include <memory>

#include "mvd/exec/executor.h"

namespace mvd {

bool HasTorchExecutor();  // whether this build has it

// Computes in f32, or with products in bf16; on the CPU. In a build without LibTorch (MVD_TORCH=OFF) throws
// Error(kUsage) saying how to get one.
std::unique_ptr<Executor> MakeTorchExecutor(const ExecOptions& options);

}  // namespace mvd
