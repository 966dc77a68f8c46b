#include "mvd/cli/generate_targets.h"

#include <algorithm>
#include <set>

#include "mvd/base/atomic_file.h"
#include "mvd/base/error.h"
#include "mvd/base/paths.h"
#include "mvd/media/sidecar.h"

namespace mvd::cli {
namespace fs = std::filesystem;
namespace {

// What a path leads to: device and inode. Two paths with one identity are one file.
using Identity = std::pair<dev_t, ino_t>;

std::optional<Identity> IdentityOf(const fs::path& path) {
  const auto there = StatOf(path);
  if (!there) return std::nullopt;
  return Identity(there->st_dev, there->st_ino);
}

// A file that is read, and the folders around it.
struct ReadFileIdentity {
  const fs::path& path;
  std::optional<Identity> file;
  std::set<Identity> folders;
};

ReadFileIdentity Identify(const fs::path& path) {
  ReadFileIdentity read{path, IdentityOf(path), {}};
  std::error_code code;
  for (fs::path at = fs::canonical(path, code).parent_path(); !code && !at.empty(); at = at.parent_path()) {
    if (const auto folder = IdentityOf(at)) read.folders.insert(*folder);
    if (at == at.root_path()) break;
  }
  return read;
}

void CheckNotRead(const fs::path& target, const std::vector<ReadFileIdentity>& files) {
  const auto written = IdentityOf(target);
  if (!written || IsStream(target)) return;
  for (const ReadFileIdentity& read : files) {
    if (read.file == written) {
      const bool same_name = read.path == target;
      ThrowUsage(target.string(), " is read by this run",
                 same_name ? "" : StrCat(" (as ", read.path.string(), ")"),
                 " and cannot be its output; name another file");
    }
    if (read.folders.contains(*written)) {
      ThrowUsage(target.string(), " holds ", read.path.string(),
                 ", which this run reads, and cannot be its output; name another folder");
    }
  }
}

}  // namespace

void CheckNothingReadIsReplaced(const std::vector<Job>& jobs, const std::vector<fs::path>& read) {
  std::vector<ReadFileIdentity> files;
  for (const fs::path& path : read) files.push_back(Identify(path));
  for (const Job& job : jobs) {
    CheckNotRead(job.target, files);
    if (job.format && job.format->recipe == RecipePlace::kSidecar) CheckNotRead(SidecarOf(job.target), files);
  }
}

std::vector<fs::path> FilesOfModel(const fs::path& folder) {
  if (folder.empty()) return {};
  return IsFolder(folder) ? ListTree(folder)
                          : std::vector<fs::path>{folder};  // a single file is a model, too
}

void CheckTargets(const Plan& plan, bool overwrite) {
  const Replace replace = overwrite ? Replace::kYes : Replace::kNo;
  if (!plan.folder.empty()) MakeFolders(plan.folder);
  for (const Job& job : plan.jobs) {
    if (job.format)
      CheckClipTarget(job.target, *job.format, replace);
    else
      CheckFileTarget(job.target, replace);
  }
}

}  // namespace mvd::cli
