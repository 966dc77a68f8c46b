// The inside of one checkpoint's folder; who keeps and removes folders is CheckpointStore.
#pragma once

#include <set>

#include "mvd/train/checkpoint.h"

namespace mvd {

inline constexpr char kCheckpointManifest[] = "manifest.json";

// Writes all files into an existing folder, each synced before the next begins, the manifest last.
void WriteCheckpointFiles(const CheckpointContent& content, const std::filesystem::path& folder);

// The manifest's "files", after format, step and the size of each file were found right: cheap, no payload is
// read. Throws Error(kBadInput).
nlohmann::json ReadCheckpointManifest(const std::filesystem::path& folder);

// The names of all files of a checkpoint, the manifest's too, by a manifest whose files may be damaged or
// gone. Nothing where the folder has no manifest of this format for the step that its name says.
std::optional<std::set<std::string>> ListedFiles(const std::filesystem::path& folder);

}  // namespace mvd
