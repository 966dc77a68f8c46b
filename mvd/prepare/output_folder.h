// The folder that `data prepare` writes into, and the set of shards that it may hold already.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "mvd/data/shard_index.h"

namespace mvd {

// Only files of the old set are ever removed, only after the new set stands, and only where they still are
// what the old shards.json says of them. All other files in the folder stay as they are.
class OutputFolder {
 public:
  // Makes the folder where it is missing. Error(kUsage) where it is no folder, where it holds a set and
  // `force` is not given, and where its shards.json is not one of ours: then nothing says what may be
  // removed.
  OutputFolder(std::filesystem::path folder, bool force);

  const std::filesystem::path& path() const { return folder_; }
  // After the new shards.json is in place. Returns one line for each file of the old set that was left,
  // because it has changed since or cannot be removed.
  std::vector<std::string> RemoveOldShards() const;

 private:
  // Folders that were made, the outermost first. Those that are still empty at the end go again.
  struct MadeFolders {
    MadeFolders() = default;
    ~MadeFolders();
    MadeFolders(const MadeFolders&) = delete;
    MadeFolders& operator=(const MadeFolders&) = delete;
    std::vector<std::filesystem::path> paths;
  };

  std::filesystem::path folder_;
  MadeFolders made_;
  std::vector<ShardFile> old_;
};

}  // namespace mvd
