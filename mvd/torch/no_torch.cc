// Replaces the torch executor in a build without LibTorch: its error says how to build with it.
#include "mvd/torch/torch_executor.h"

namespace mvd {

bool HasTorchExecutor() { return false; }

std::unique_ptr<Executor> MakeTorchExecutor(const ExecOptions&) {
  ThrowUsage(
      "--executor torch: this build lacks LibTorch: configure with -DMVD_TORCH=ON and "
      "-DCMAKE_PREFIX_PATH=<LibTorch>");
}

}  // namespace mvd
