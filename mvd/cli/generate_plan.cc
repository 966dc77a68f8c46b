#include "mvd/cli/generate_plan.h"

#include "mvd/base/error.h"
#include "mvd/base/paths.h"
#include "mvd/cli/generate_latents.h"
#include "mvd/cli/generate_targets.h"

namespace mvd::cli {
namespace fs = std::filesystem;
namespace {

// A folder of pictures.
bool IsFrames(const ClipFormat* format) {
  return format && !format->extensions.empty() && format->extensions[0] == "/";
}
// A format that leaves nothing, for timing.
bool LeavesNothing(const ClipFormat* format) { return format && format->extensions.empty(); }

// What is read: the pictures, and whether a folder was among what was given.
struct Pictures {
  std::vector<fs::path> paths;
  bool folder_given = false;
};

Pictures ListPictures(const std::vector<std::string>& given) {
  Pictures pictures;
  for (const std::string& name : given) {
    if (!PathExists(name)) ThrowNotFound(name);
    if (!IsFolder(name)) {
      pictures.paths.emplace_back(name);
      continue;
    }
    pictures.folder_given = true;
    const auto found = ListImages(name);
    if (found.empty()) ThrowBadInput(name, "holds no pictures (", ImageFormatNames(), ")");
    pictures.paths.insert(pictures.paths.end(), found.begin(), found.end());
  }
  return pictures;
}

// The format that --format names; the default's row where it is empty. Null for latents.
const ClipFormat* FormatOf(const std::string& name) {
  if (name.empty()) return &DefaultClipFormat();
  if (name == kLatentsName) return nullptr;
  for (const ClipFormat& format : ClipFormats()) {
    if (format.name == name) return &format;
  }
  ThrowUsage("--format ", name, ": expected one of ", ClipFormatNames(), ", ", kLatentsName);
}

[[noreturn]] void RefuseExtension(fs::path path) {
  const std::string target = path.string();
  if (path.extension() == ".png")
    ThrowUsage("-o ", target, ": PNG frames are written to a folder: -o ",
               path.replace_extension("").string(), " --format png");
  std::string extensions;
  for (const ClipFormat& format : ClipFormats()) {
    const std::string extension = ExtensionOf(format);
    if (!extension.empty() && CanWrite(format)) extensions += extension + ", ";
  }
  ThrowUsage("-o ", target, ": the extension is none of ", extensions, kLatentsExtension, " (latents)");
}

// By the extension of the one file to write.
const ClipFormat* FormatOfFile(const fs::path& target) {
  if (target.extension() == kLatentsExtension) return nullptr;
  const ClipFormat* const format = target.has_extension() ? FindClipFormat(target.string()) : nullptr;
  if (!format) RefuseExtension(target);
  return format;
}

bool IsFolderOfClips(const PlanRequest& r, const Pictures& pictures, const ClipFormat* format) {
  if (pictures.folder_given || pictures.paths.size() > 1) return true;
  if (!r.format.empty() && (IsFrames(format) || LeavesNothing(format))) return false;
  if (r.output.ends_with('/') || IsFolder(r.output)) return true;
  return !r.format.empty() && !fs::path(r.output).has_extension() && !IsStream(r.output);
}

std::string NameIn(const fs::path& image, const ClipFormat* format) {
  return image.stem().string() + (format ? ExtensionOf(*format) : kLatentsExtension);
}

bool IsFinished(const Job& job) {
  if (LeavesNothing(job.format) || IsStream(job.target)) return false;
  if (!IsFrames(job.format)) return PathExists(job.target) && !IsFolder(job.target);
  return IsFolder(job.target) && !IsEmptyFolder(job.target);
}

void CheckUnlike(const std::vector<Job>& jobs, const Job& job) {
  if (LeavesNothing(job.format)) return;
  for (const Job& other : jobs) {
    if (other.target == job.target)
      ThrowUsage(other.image.string(), " and ", job.image.string(), " would both be written to ",
                 job.target.string(), "; name one of them otherwise, or make them in two runs");
  }
}

}  // namespace

void CheckStdout(const PlanRequest& r, bool json) {
  if (r.output != kStdout) return;
  if (json) ThrowUsage("-o - and --json: a clip and a report cannot both go to stdout");
  if (r.format.empty()) ThrowUsage("-o -: which format? Give --format, such as y4m");
  if (r.format == kLatentsName) ThrowUsage("-o -: latents go to a file");
}

Plan PlanJobs(const PlanRequest& r) {
  if (r.overwrite && r.skip_existing) ThrowUsage("-y and --skip-existing exclude each other");
  const Pictures pictures = ListPictures(r.inputs);
  const ClipFormat* format = FormatOf(r.format);
  if (r.output == kStdout && (pictures.folder_given || pictures.paths.size() > 1))
    ThrowUsage("-o -: one clip goes to stdout, and there are ", pictures.paths.size(), " pictures");
  const bool folder = !r.output.empty() && r.output != kStdout && IsFolderOfClips(r, pictures, format);
  const bool file = !r.output.empty() && !folder;
  if (file && r.format.empty()) format = FormatOfFile(r.output);
  if (format) CheckCanWrite(*format);
  Plan plan;
  if (folder && !LeavesNothing(format)) plan.folder = r.output;
  std::vector<Job> all;
  for (const fs::path& image : pictures.paths) {
    const Job job{image, file ? fs::path(r.output) : fs::path(r.output) / NameIn(image, format), format};
    CheckUnlike(all, job);
    all.push_back(job);
  }
  CheckNothingReadIsReplaced(all, pictures.paths);
  for (Job& job : all) {
    const bool finished = IsFinished(job);
    if (finished && !r.overwrite && !r.skip_existing)
      ThrowUsage(job.target.string(), " exists; -y replaces it, --skip-existing leaves it");
    (finished && r.skip_existing ? plan.skipped : plan.jobs).push_back(std::move(job));
  }
  return plan;
}

}  // namespace mvd::cli
