// What a model's weight files hold beyond its networks: worth telling, because it often means that the file
// is of another model, or has to be read in another way.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "mvd/engine/components.h"
#include "mvd/io/model_folder.h"

namespace mvd {

// A line for each doubt about the weights of one folder that serves these networks: two sets of weights where
// one is read, and tensors that no network takes, but for those known to be harmless.
std::vector<std::string> WeightDoubts(const FolderWeights& weights,
                                      std::span<const ComponentInfo* const> networks,
                                      const ModelConfigs& configs);

// Tensors of `weights` that none of these networks takes and that are not known to be harmless.
std::vector<std::string> UnusedTensors(const FolderWeights& weights,
                                       std::span<const ComponentInfo* const> networks,
                                       const ModelConfigs& configs);

// The line about `unused`, of `origin`; nothing where there are none.
std::vector<std::string> DoubtUnused(const std::string& origin, const std::vector<std::string>& unused);

}  // namespace mvd
