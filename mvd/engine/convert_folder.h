// A model folder with its weights in another type.
#pragma once

#include <filesystem>
#include <string>

#include "mvd/base/cancel.h"
#include "mvd/base/tensor.h"

namespace mvd {

struct ConvertReport {
  int64_t tensors = 0, bytes_before = 0, bytes_after = 0;
};

// Writes `source`, a pipeline's folder or one component's own, to `target`, which must be new or an empty
// folder: the same components, configs as they are, each component's weights in one file. It appears whole or
// not at all. Errors are those of ModelFolder, FolderWeights and CheckNewFolder; numbers that `dtype` cannot
// hold become infinite and are refused, naming the tensor.
ConvertReport ConvertFolder(const std::filesystem::path& source, const std::filesystem::path& target,
                            DType dtype, const CancelToken* cancel = nullptr, const Progress& progress = {});

}  // namespace mvd
