// Samples into tar shards (POSIX ustar, by libarchive) and their index: what mvd/data/shard_source.h reads.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "mvd/base/atomic_file.h"

namespace mvd {

struct ShardSampleContent {
  std::vector<uint8_t> pixels;     // (frames,height,width,3)
  nlohmann::json about;            // with the keys frames, height, width, fps, motion_bucket_id
  std::vector<float> motion = {};  // TrainingClip::motion; empty: unknown
};

// Shards are written into a hidden folder inside the target and move into it together, once all of them are
// whole, under the first numbers that are free there: no file is replaced but shards.json, which comes last
// and makes the new set the folder's. Without Finish nothing is left. The same samples give the same bytes in
// an empty folder.
class ShardWriter {
 public:
  // `shard_bytes`: a shard is closed once it holds that many bytes of pixels, or more. Removes what writers
  // of processes that were killed left in `folder` (abandoned_sets.h). Error(kNotFound) without `folder`.
  ShardWriter(std::filesystem::path folder, int64_t shard_bytes);
  ~ShardWriter();
  ShardWriter(const ShardWriter&) = delete;
  ShardWriter& operator=(const ShardWriter&) = delete;

  // Error(kBadInput) where writing fails.
  void Add(const ShardSampleContent& sample);
  // Closes the last shard, moves all of them and writes shards.json: `about` with the list of shards and the
  // hash added. Where that fails the folder is as it was before.
  void Finish(nlohmann::json about);

  int64_t shards() const { return int64_t(list_.size()); }
  int64_t bytes() const { return bytes_; }  // of all closed shards

 private:
  struct Open;
  void AddMember(const std::string& name, const void* data, size_t size);
  void Close();
  std::string WriteLists(nlohmann::json about);
  std::vector<std::filesystem::path> Publish();

  std::filesystem::path folder_;
  int64_t shard_bytes_;
  int64_t samples_ = 0, bytes_ = 0;
  nlohmann::json list_ = nlohmann::json::array();
  // Behind the list, so that it goes first: JSON's destructor allocates, and the process ends where it
  // cannot.
  AtomicFolder staging_;  // a folder, never committed
  std::unique_ptr<Open> open_;
};

}  // namespace mvd
