// Which links of a model folder are followed: one rule for configs, indexes, weights and shards.
#pragma once

#include <filesystem>
#include <string>

namespace mvd {

// Where the file `name` in `folder`, a model's folder or one component's, really is, all links resolved.
// Allowed is what lies in the model's own folder: the pipeline's, where the folder above holds a
// model_index.json, else `folder` itself; and where that is a snapshot in the Hub's cache,
// models--ORG--NAME/snapshots/REVISION, the whole of models--ORG--NAME, because its files are links into its
// blobs. Links on the way to the model's own folder are the user's and are followed. Error(kBadInput) where
// the file is missing or really lies elsewhere.
std::filesystem::path ResolveInModel(const std::filesystem::path& folder, const std::string& name);

}  // namespace mvd
