// Latents of clips that were encoded before, one safetensors file each, keyed by the content that they were
// made from.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "mvd/base/tensor.h"
#include "mvd/data/clip_source.h"

namespace mvd {

using LatentTensors = std::map<std::string, Tensor>;

// A stale entry cannot be found: the key is a hash of the clip's pixels and sizes, of the autoencoder and of
// the options, and a changed one of these is another key. For one thread; several processes may share a
// folder.
class LatentCache {
 public:
  // `autoencoder_hash` is ModelHash of the autoencoder's folder. `options` is any text that names what else
  // the latents depend on: crop, size, precision, mean or sample. Makes the folder; Error(kBadInput) where it
  // cannot.
  LatentCache(std::filesystem::path folder, std::string autoencoder_hash, std::string options);

  // 32 hexadecimal digits. The clip's name, rate and motion are not part of it: latents do not depend on
  // them.
  std::string Key(const TrainingClip& clip) const;
  // folder/ab/KEY.safetensors, "ab" the key's first two digits.
  std::filesystem::path FileOf(const std::string& key) const;

  // Nothing where the key is new. A damaged entry counts as new: Put replaces it.
  std::optional<LatentTensors> Get(const std::string& key);
  // The entry appears whole or not at all. Error(kBadInput) where writing fails.
  void Put(const std::string& key, const LatentTensors& latents);

  int64_t hits() const { return hits_; }
  int64_t misses() const { return misses_; }  // damaged entries too
  int64_t damaged() const { return damaged_; }

 private:
  std::filesystem::path folder_;
  std::string autoencoder_hash_, options_;
  int64_t hits_ = 0, misses_ = 0, damaged_ = 0;
};

}  // namespace mvd
