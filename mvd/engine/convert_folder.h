// A model folder made of another one, with its weights in another type, or of Stability AI's single file.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "mvd/base/cancel.h"
#include "mvd/base/tensor.h"

namespace mvd {

struct ConvertReport {
  int64_t tensors = 0, bytes_before = 0, bytes_after = 0;
  std::string note;                 // what was assumed of a single file
  std::vector<std::string> unused;  // its tensors that are not in the folder, but for spares
};

// Writes `source`, a pipeline's folder, one component's own or a single file, to `target`, which must be new
// or an empty folder. Of a folder it has the same components and configs, each component's weights in one
// file; of a single file what diffusers makes of it, with the configs of its preset. Scales of 8-bit weights
// are multiplied in. The folder appears whole or not at all. Errors are those of ModelFolder, SingleFile,
// FolderWeights and CheckNewFolder; numbers that `dtype` cannot hold become infinite and are refused, naming
// the tensor.
ConvertReport ConvertFolder(const std::filesystem::path& source, const std::filesystem::path& target,
                            DType dtype, const CancelToken* cancel = nullptr, const Progress& progress = {});

}  // namespace mvd
