// Where the samples of a shard folder lie: found from the tar headers alone.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "mvd/data/clip_source.h"
#include "mvd/data/shard_source.h"

namespace mvd {

// One file, and what shards.json says of it.
struct ShardFile {
  std::filesystem::path path;
  uint64_t bytes = 0;
  std::string xxh128;   // of the whole file, hexadecimal
  int64_t samples = 0;  // clips and pictures in it
};

struct ShardSample {
  uint32_t shard = 0;  // index into ShardIndex::shards
  std::string key;
  uint64_t pixels_at = 0, pixels_size = 0;
  uint64_t json_at = 0, json_size = 0;
  uint64_t motion_at = 0, motion_size = 0;  // size 0: there is none
};

struct ShardIndex {
  ShardFolderInfo info;
  std::string identity;  // names the content for a checkpoint: shards.json's own hash of its shards
  std::vector<ShardFile> shards;
  std::vector<ShardSample> samples;  // whole ones, in the order of the files
  int64_t skipped = 0;
};

// The shards that the folder's shards.json lists; the files themselves are not looked at. Errors as
// ReadShardFolderInfo.
std::vector<ShardFile> ReadShardList(const std::filesystem::path& folder);

// Errors as MakeShardSource; `skip` is told one line for each thing that is passed over. A shard whose size
// is not what shards.json says is damaged: none of its samples is listed. A key names one sample of the whole
// folder: of two samples with the same key the first one counts, the other is passed over like a damaged one.
ShardIndex ReadShardIndex(const std::filesystem::path& folder,
                          const std::function<void(const std::string&)>& skip);

// Error(kBadInput) naming shard and key where the JSON, the size or, with `hash`, the pixels are wrong.
TrainingClip ReadShardSample(const ShardIndex& index, const ShardSample& sample,
                             const std::function<std::string(const void*, size_t)>& hash);

}  // namespace mvd
