#include "mvd/prepare/output_folder.h"

#include "mvd/base/error.h"
#include "mvd/base/file_error.h"
#include "mvd/base/paths.h"
#include "mvd/data/shard_source.h"
#include "mvd/prepare/abandoned_sets.h"

namespace mvd {
namespace fs = std::filesystem;
namespace {

std::vector<ShardFile> OldShards(const fs::path& folder, bool force) {
  std::error_code code;
  if (!fs::exists(fs::symlink_status(folder / kShardsFile, code))) return {};
  if (!force) ThrowUsage(folder.string(), " holds shards already; --force replaces them");
  try {
    return ReadShardList(folder);
  } catch (const Error& error) {
    ThrowUsage(error.what(), "; not a list that data prepare wrote, so nothing in this folder is replaced");
  }
}

// Folders of `path` that do not exist, the outermost first.
std::vector<fs::path> MissingFolders(fs::path path) {
  std::vector<fs::path> missing;
  std::error_code code;
  for (; !path.empty() && !fs::exists(path, code) && !code; path = path.parent_path())
    missing.insert(missing.begin(), path);
  return missing;
}

}  // namespace

OutputFolder::OutputFolder(fs::path folder, bool force) : folder_(std::move(folder)) {
  if (!folder_.has_filename()) folder_ = folder_.parent_path();  // "shards/"
  std::error_code code;
  if (PathExists(folder_) && !IsFolder(folder_)) ThrowUsage(folder_.string(), " exists and is not a folder");
  old_ = OldShards(folder_, force);
  for (const fs::path& missing : MissingFolders(folder_)) {
    if (fs::create_directory(missing, code)) made_.paths.push_back(missing);
    if (code) ThrowUnwritable(missing.string(), code.value());
  }
}

OutputFolder::MadeFolders::~MadeFolders() {
  std::error_code code;
  for (auto folder = paths.rbegin(); folder != paths.rend(); ++folder) fs::remove(*folder, code);
}

std::vector<std::string> OutputFolder::RemoveOldShards() const {
  std::vector<std::string> left;
  for (const ShardFile& shard : old_) {
    std::error_code code;
    if (!fs::exists(fs::symlink_status(shard.path, code))) continue;
    try {
      if (!IsUnchanged(shard)) {
        left.push_back(StrCat(shard.path.string(), ": is left, for it is not what the old ", kShardsFile,
                              " says of it"));
        continue;
      }
    } catch (const Error& error) {
      left.push_back(StrCat(error.what(), "; the file is left"));
      continue;
    }
    fs::remove(shard.path, code);
    if (code) left.push_back(StrCat(shard.path.string(), ": cannot be removed: ", code.message()));
  }
  return left;
}

}  // namespace mvd
