// A folder of clips and pictures made into shards for training.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "mvd/base/cancel.h"
#include "mvd/base/parallel.h"
#include "mvd/prepare/clip_cutter.h"
#include "mvd/prepare/sources.h"

namespace mvd {

struct PrepareOptions {
  std::filesystem::path input, output;
  ClipShape shape;
  bool pictures = false;         // pictures become samples of one frame; else they are passed over
  double max_duplicates = 0.25;  // a clip is frozen where more of its pairs of frames are equal
  double min_motion = 0;         // a clip is still where its bucket, 0 to 255, is lower
  bool motion = false;           // each clip's motion is kept beside it, for models that move a picture
  std::optional<double> motion_bucket_id;  // for clips without one in metadata.jsonl; else flow is measured
  int64_t shard_bytes = int64_t{256} << 20;
  uint64_t seed = 0;  // order of the sources in the shards
  Threads threads;
  bool force = false;  // replace the set of shards of a folder that has one
  const CancelToken* cancel = nullptr;
};

struct PrepareReport {
  int64_t sources = 0;  // files that were read
  int64_t clips = 0, pictures = 0, shards = 0, bytes = 0;
  int64_t pictures_skipped = 0;
  int64_t cuts = 0;
  // Clips that could be read and were not wanted.
  int64_t frozen = 0, still = 0, repeated = 0, short_shots = 0;
  std::vector<SourceFailure> failures;
  std::vector<std::string> left;  // one line for each file of a replaced set that was not removed
};

// Writes shards and shards.json, or nothing at all: without a sample, and in every case of an error, the
// output is as it was before. A set that is there is replaced as a whole, by `force`; files that are not of
// it are never touched. A source that fails is reported and passed over; what it gave before its damage
// stays. The output's bytes depend on the options and the input, not on threads. Error(kNotFound) without the
// input; Error(kBadInput) for a folder without clips, bad metadata, or an output that cannot be written;
// Error(kUsage) for an output folder in use, and in a build without the libraries for it; Error(kCancelled).
PrepareReport Prepare(const PrepareOptions& options, const Progress& progress);

}  // namespace mvd
