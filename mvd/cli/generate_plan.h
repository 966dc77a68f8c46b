// Which clip is made from which picture, and what may not be written over. Settled before anything is
// computed.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "mvd/media/clip.h"

namespace mvd::cli {

struct PlanRequest {
  std::vector<std::string> inputs;  // pictures and folders of pictures, or one file of latents
  std::string output, format;       // as given; empty: the picture's name, the default format
  bool overwrite = false;
  bool skip_existing = false;  // leave out what is finished: files and folders of frames appear whole
};

// One clip.
struct Job {
  std::filesystem::path image;  // or the latents that it is decoded from
  std::filesystem::path target;
  const ClipFormat* format = nullptr;  // null: the latents are the result
};

struct Plan {
  std::vector<Job> jobs;
  std::vector<Job> skipped;
  std::filesystem::path folder;  // that holds the targets and may have to be made; empty: none
};

// The output is one file (or stream, or folder of frames) where there is one picture. It is a folder that
// holds a clip for each picture where there are several, where a folder was given to read, or where the
// output ends in '/', is a folder, or has no extension beside a format. Error(kNotFound) for a missing
// picture, Error(kBadInput) for a folder without any, Error(kUsage) where the format is unknown, two pictures
// share a target, or a target exists and is neither replaced nor skipped.
Plan PlanJobs(const PlanRequest& request);

// Error(kUsage) where two things that need all of stdout share it.
void CheckStdout(const PlanRequest& request, bool json);

}  // namespace mvd::cli
