// The inside of one checkpoint's folder; who keeps and removes folders is CheckpointStore.
#pragma once

#include "mvd/train/checkpoint.h"

namespace mvd {

inline constexpr char kCheckpointManifest[] = "manifest.json";

// Writes all files into an existing folder, each synced before the next begins, the manifest last.
void WriteCheckpointFiles(const CheckpointContent& content, const std::filesystem::path& folder);

// The manifest's "files", after format, step and the size of each file were found right: cheap, no payload is
// read. Throws Error(kBadInput).
nlohmann::json ReadCheckpointManifest(const std::filesystem::path& folder);

}  // namespace mvd
