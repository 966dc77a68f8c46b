// Clips from the folder that `data prepare` writes: shards.json and WebDataset tar files, in which a sample
// is KEY.rgb (bytes of (T,H,W,3)), KEY.json and, where the clip's motion is known, KEY.motion
// (TrainingClip::motion as f16).
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "mvd/data/clip_source.h"

namespace mvd {

inline constexpr char kShardsFile[] = "shards.json";
inline constexpr char kMotionMember[] = ".motion";
inline constexpr char kShardsFormat[] = "mobilevd shards 1";

enum class ShardEntries { kClips, kPictures, kAll };  // a picture is a sample of one frame

struct ShardOptions {
  std::filesystem::path folder;
  uint64_t seed = 0;
  int rank = 0, ranks = 1;  // 0 <= rank < ranks
  ShardEntries entries = ShardEntries::kClips;
  // XXH3 (128 bits, hexadecimal), which this library does without. Of bytes: every sample's pixels are held
  // against its key "content_hash". Of a whole file: a shard is held against shards.json, once, before the
  // first of its samples is read. Empty: not compared; a shard's size always is.
  std::function<std::string(const void*, size_t)> hash_bytes = {};
  std::function<std::string(const std::filesystem::path&)> hash_file = {};
  // Told once of every shard or member that is skipped: file, member, reason. May be empty.
  std::function<void(const std::string&)> on_skip = {};
};

// What shards.json says of all samples.
struct ShardFolderInfo {
  int64_t height = 0, width = 0, frames = 0;
  double fps = 0;
  int64_t clips = 0, pictures = 0;
};
// Error(kNotFound) without the folder; Error(kBadInput) where it has no good shards.json.
ShardFolderInfo ReadShardFolderInfo(const std::filesystem::path& folder);

// An epoch is a permutation of all samples, drawn from (seed, epoch) and dealt round-robin to the ranks; its
// end is filled from its start, so that every rank gets the same number of clips from shards of any sizes.
// A sample that cannot be read, or lies in a damaged shard, is replaced by the one behind it in the
// permutation: the k-th call of Next is the k-th on every rank, and a position is good for all ranks.
// Error(kNotFound) without the folder; Error(kBadInput) where shards.json is bad, a shard it names is absent,
// or no sample of the wanted kind is left. Next throws Error(kBadInput) where no sample can be read.
std::unique_ptr<ClipSource> MakeShardSource(ShardOptions options);

}  // namespace mvd
