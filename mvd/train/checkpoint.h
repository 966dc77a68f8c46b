// Checkpoints of a run: RUN/checkpoints/step-000123, a folder that appears whole or not at all. It counts
// only if its manifest, which is written last, matches every byte. Previous ones are removed only after the
// new one was read back, and only where a manifest proves that they are checkpoints: other folders and files
// in RUN/checkpoints stay, whatever their names.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "mvd/base/tensor.h"

namespace mvd {

// Tensors by name (f32, i64, u8, ... as safetensors has them), borrowed while saving.
using TensorViews = std::map<std::string, TensorView>;

struct CheckpointContent {
  int64_t step = 0;
  // One safetensors file each: "unet", "ema", "adam", ...: plain names without an extension.
  std::map<std::string, TensorViews> files;
  // Everything else that the loop needs to continue: samples seen, data positions, options, health. `step` is
  // added.
  nlohmann::json state = nlohmann::json::object();
  // The safetensors files' __metadata__: what the weights are and how they were made.
  std::map<std::string, std::string> metadata;
};

// A checkpoint read back; owns its tensors.
struct Checkpoint {
  std::filesystem::path folder;
  int64_t step = 0;
  std::map<std::string, std::map<std::string, Tensor>> files;
  nlohmann::json state;
};

struct CheckpointPolicy {
  int64_t keep = 2;        // newest ones kept, at least 1
  int64_t keep_every = 0;  // steps whose multiples are never removed; 0: none
};

// Called with one line each: what was skipped, what is missing, which older checkpoint is used instead.
using Note = std::function<void(const std::string&)>;

// All functions throw Error(kBadInput) of one line naming file, tensor and reason.
class CheckpointStore {
 public:
  // Makes RUN/checkpoints where it is missing. Does not touch what is inside.
  CheckpointStore(const std::filesystem::path& run, CheckpointPolicy policy, Note note = {});

  // Writes, syncs, renames, syncs the folder, reads back and compares; then removes what the policy does not
  // keep, and abandoned temporaries of dead processes. A full disk is an error after which all older ones are
  // as before. A whole checkpoint of the same step is left as it is; what else has its name is renamed to
  // step-000123.other. Returns the folder.
  std::filesystem::path Save(const CheckpointContent& content);

  // The newest complete one (manifest there, sizes match); nothing where there is none. Says what it skipped.
  std::optional<std::filesystem::path> Newest() const;
  // All complete ones, oldest first.
  std::vector<std::filesystem::path> Complete() const;
  // Loads the newest whose every byte matches its manifest; each corrupt one is noted and the one before it
  // is tried. Nothing where no checkpoint exists at all; an error where some exist and none is whole.
  std::optional<Checkpoint> LoadNewest() const;

  // Removes those after `step`: a run that continues from an older checkpoint makes its own.
  void DropAfter(int64_t step) const;

  const std::filesystem::path& folder() const { return folder_; }

 private:
  void Prune(const std::filesystem::path& newest) const;

  std::filesystem::path folder_;
  CheckpointPolicy policy_;
  Note note_;
};

// One checkpoint, every file checked against the manifest's size and hash (XXH3, 128 bits).
Checkpoint LoadCheckpoint(const std::filesystem::path& folder);
// Reads everything and throws as LoadCheckpoint does, but keeps no tensor.
void VerifyCheckpoint(const std::filesystem::path& folder);

// The step in the name "step-000123"; nothing for other names.
std::optional<int64_t> CheckpointStep(const std::filesystem::path& folder);

}  // namespace mvd
