#include "mvd/prepare/abandoned_sets.h"

#include <signal.h>

#include <cerrno>
#include <cstdio>
#include <set>

#include "mvd/base/error.h"
#include "mvd/base/file_error.h"
#include "mvd/base/paths.h"
#include "mvd/data/shard_source.h"
#include "mvd/io/content_hash.h"
#include "mvd/io/mapped_file.h"

namespace mvd {
namespace fs = std::filesystem;
namespace {

constexpr char kReplaced[] = "replaced";

// Whether a name is ".<stem>.4711-0123456789abcdef.part", of a process that is no more.
bool IsAbandoned(const fs::path& path, const std::string& stem) {
  int process = 0, end = 0;
  std::string name = path.filename().string();
  if (!name.starts_with("." + stem + ".")) return false;
  name = name.substr(stem.size() + 2);
  if (std::sscanf(name.c_str(), "%d-%*16[0-9a-f].part%n", &process, &end) != 1) return false;
  return size_t(end) == name.size() && process > 0 && ::kill(process, 0) != 0 && errno == ESRCH;
}

// What a list names, or nothing where it is absent or was not written to its end.
std::vector<ShardFile> Named(const fs::path& folder) {
  try {
    if (PathExists(folder / kShardsFile)) return ReadShardList(folder);
  } catch (const Error&) {
  }
  return {};
}

void RemoveShardsOf(const fs::path& list, const fs::path& folder, const std::set<std::string>& kept) {
  for (ShardFile shard : Named(list)) {
    const fs::path name = shard.path.filename();
    if (kept.contains(name.string())) continue;
    shard.path = folder / name;
    try {
      if (IsUnchanged(shard)) RemoveAll(shard.path);
    } catch (const Error&) {  // it cannot be read or removed: it stays
    }
  }
}

}  // namespace

bool IsUnchanged(const ShardFile& shard) {
  std::error_code code;
  if (!fs::is_regular_file(fs::symlink_status(shard.path, code)) || FileSize(shard.path) != shard.bytes)
    return false;
  const MappedFile file = MappedFile::Open(shard.path);
  return ContentHash({reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()}) ==
         shard.xxh128;
}

void KeepReplacedList(const fs::path& folder, const fs::path& staging) {
  if (!PathExists(folder / kShardsFile)) return;
  const fs::path kept = staging / kReplaced / kShardsFile;
  MakeFolders(kept.parent_path());
  std::error_code code;
  fs::copy_file(folder / kShardsFile, kept, code);
  if (code) ThrowUnwritable(kept.string(), code.value());
}

void RemoveAbandonedSets(const fs::path& folder) {
  std::set<std::string> kept;
  try {
    if (PathExists(folder / kShardsFile))
      for (const ShardFile& shard : ReadShardList(folder)) kept.insert(shard.path.filename().string());
  } catch (const Error&) {
    return;
  }
  for (const fs::path& entry : ListFolder(folder)) {
    const bool staging = IsAbandoned(entry, kStagingName);
    if (staging) {
      RemoveShardsOf(entry, folder, kept);
      RemoveShardsOf(entry / kReplaced, folder, kept);
    }
    std::error_code ignored;  // another writer may sweep too
    if (staging || IsAbandoned(entry, kShardsFile)) fs::remove_all(entry, ignored);
  }
}

}  // namespace mvd
