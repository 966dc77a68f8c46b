// One picture, or kept latents, to one clip. Stages can fail apart: latents outlive a decoder or a disk that
// fails, and one picture's failure does not take the others with it. Nothing here knows a terminal or the
// process: what there is to say is handed over.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "mvd/base/error.h"
#include "mvd/cli/generate_latents.h"
#include "mvd/cli/generate_options.h"
#include "mvd/cli/generate_plan.h"
#include "mvd/cli/generate_recipe.h"
#include "mvd/engine/svd_engine.h"

namespace mvd::cli {

using Say = std::function<void(const std::string& line)>;

// What all clips of one run share.
struct GenerateRun {
  GenerateOptions options;  // complete, but the size may be each picture's own
  const Model& model;
  std::string model_hash;  // empty for a preset
  SvdEngine& engine;
  int64_t memory_limit = 0;  // bytes; 0: none
  Schedule schedule;
  SampleHooks hooks;
  std::optional<Recipe> recipe;        // that the options came from
  std::optional<ClipLatents> latents;  // where they are only to be decoded
  // Where latents are kept if the target's folder does not take them.
  std::vector<std::filesystem::path> keep_in;
  Say note, warn;
  Say last_words;  // may be called by another thread, when the process is told to end
};

struct Seconds {
  double load = 0, encode = 0, denoise = 0, decode = 0, write = 0;
};

struct Outcome {
  Job job;
  GenerateOptions options;  // with the clip's size, where it came so far
  Seconds seconds;
  Exit exit = Exit::kOk;
  std::string error;              // one line; empty where the clip was made
  std::filesystem::path latents;  // where they were kept after a failure; empty where they were not
};

// One picture's options, with its size, and what they say to the pipeline.
struct SizedOptions {
  GenerateOptions options;
  SvdOptions pipeline;
};
// Reads the picture's header. Errors as PlanImage, and Error(kUsage) for sizes that cannot be.
SizedOptions SizeOptions(const GenerateRun& run, const Job& job);

// Never throws for what is wrong with one picture; a cancellation is passed on as Error(kCancelled).
Outcome MakeClip(GenerateRun& run, const Job& job);

}  // namespace mvd::cli
