#include "mvd/train/checkpoint.h"

#include <signal.h>

#include <algorithm>
#include <cstdio>

#include "mvd/base/atomic_file.h"
#include "mvd/base/error.h"
#include "mvd/base/paths.h"
#include "mvd/train/checkpoint_files.h"

namespace mvd {
namespace fs = std::filesystem;
namespace {

std::string StepName(int64_t step) {
  char name[40];
  std::snprintf(name, sizeof(name), "step-%06lld", static_cast<long long>(step));
  return name;
}

// Throws where the folder's file system has no room for `bytes`: sooner and clearer than a failed write.
void CheckRoom(const fs::path& folder, const fs::path& target, uint64_t bytes) {
  std::error_code code;
  const fs::space_info space = fs::space(folder, code);
  if (!code && space.available < bytes) {
    throw Error(
        Exit::kNotWritten, target.string(),
        StrCat("cannot be written: needs ", bytes, " bytes, the disk has ", space.available, " free"));
  }
}

// Removes a folder that is provably a checkpoint: what its manifest lists, and the folder itself where
// nothing else is inside. False where the folder still stands: it has no manifest of ours, or holds other
// files.
bool RemoveCheckpoint(const fs::path& folder, const Note& note) {
  const std::optional<std::set<std::string>> files = ListedFiles(folder);
  if (!files) {
    note(StrCat(folder.string(), ": is left: it has no manifest of a checkpoint"));
    return false;
  }
  std::error_code code;
  bool others = false;
  for (fs::directory_iterator it(folder, code), end; !code && it != end; it.increment(code))
    others |= !files->contains(it->path().filename().string());
  others |= bool(code);  // what cannot be listed may hold others
  if (!others) {
    // Under a temporary name: a removal cut short leaves what nobody takes for a checkpoint, and is finished
    // later.
    const AtomicFolder hidden(folder, Replace::kYes);
    fs::rename(folder, hidden.temporary(), code);
    return !code;  // the rest is the destructor's
  }
  note(StrCat(folder.string(), ": is left: it holds other files than a checkpoint's"));
  fs::remove(folder / kCheckpointManifest, code);
  for (const std::string& name : *files) fs::remove(folder / name, code);
  return false;
}

// A free name beside the folder that no checkpoint has.
void SetAside(const fs::path& folder, const Note& note) {
  for (int i = 0;; ++i) {
    const fs::path other = StrCat(folder.string(), ".other", i ? std::to_string(i) : "");
    std::error_code code;
    if (fs::exists(fs::symlink_status(other, code))) continue;
    fs::rename(folder, other, code);
    if (code) ThrowBadInput(folder.string(), "is in the way of a checkpoint: ", code.message());
    note(
        StrCat(folder.string(), ": is not a checkpoint of this run, renamed to ", other.filename().string()));
    return;
  }
}

// ".step-000123.4711-0123456789abcdef.part" of a process that is no more.
bool IsAbandoned(const fs::path& path) {
  const std::string name = path.filename().string();
  long long step = 0;
  int process = 0, end = 0;
  if (std::sscanf(name.c_str(), ".step-%lld.%d-%*16[0-9a-f].part%n", &step, &process, &end) != 2)
    return false;
  return size_t(end) == name.size() && process > 0 && ::kill(process, 0) != 0 && errno == ESRCH;
}

}  // namespace

std::optional<int64_t> CheckpointStep(const fs::path& folder) {
  const std::string name = folder.filename().string();
  long long step = 0;
  if (std::sscanf(name.c_str(), "step-%lld", &step) != 1 || step < 0 || StepName(step) != name) return {};
  return step;
}

CheckpointStore::CheckpointStore(const fs::path& run, CheckpointPolicy policy, Note note)
    : folder_(run / "checkpoints"),
      policy_(policy),
      note_(note ? std::move(note) : [](const std::string&) {}) {
  MVD_CHECK_GE(policy.keep, 1);
  MakeFolders(folder_);
}

fs::path CheckpointStore::Save(const CheckpointContent& content) {
  const fs::path target = folder_ / StepName(content.step);
  if (PathExists(target)) {
    try {
      VerifyCheckpoint(target);
      return target;
    } catch (const Error& error) {
      note_(StrCat("writing it again: ", error.what()));
      if (!RemoveCheckpoint(target, note_)) SetAside(target, note_);
    }
  }
  for (const fs::path& entry : ListFolder(folder_)) {
    std::error_code code;
    if (IsAbandoned(entry)) fs::remove_all(entry, code);
  }
  uint64_t bytes = 0;
  for (const auto& [name, tensors] : content.files) {
    for (const auto& [tensor, view] : tensors) bytes += view.bytes();
  }
  CheckRoom(folder_, target, bytes);
  AtomicFolder whole(target, Replace::kNo);
  WriteCheckpointFiles(content, whole.temporary());
  whole.Commit();
  VerifyCheckpoint(target);
  Prune(target);
  return target;
}

std::vector<fs::path> CheckpointStore::Complete() const {
  std::vector<fs::path> folders;
  for (const fs::path& entry : ListFolder(folder_)) {
    if (CheckpointStep(entry) && IsFolder(entry)) folders.push_back(entry);
  }
  std::sort(folders.begin(), folders.end(),
            [](const fs::path& a, const fs::path& b) { return *CheckpointStep(a) < *CheckpointStep(b); });
  std::erase_if(folders, [&](const fs::path& folder) {
    try {
      ReadCheckpointManifest(folder);
      return false;
    } catch (const Error& error) {
      note_(StrCat("skipped: ", error.what()));
      return true;
    }
  });
  return folders;
}

std::optional<fs::path> CheckpointStore::Newest() const {
  const std::vector<fs::path> complete = Complete();
  if (complete.empty()) return {};
  return complete.back();
}

std::optional<Checkpoint> CheckpointStore::LoadNewest() const {
  std::vector<fs::path> complete = Complete();
  const std::vector<fs::path> entries = ListFolder(folder_);
  const bool any = std::any_of(entries.begin(), entries.end(),
                               [](const fs::path& entry) { return CheckpointStep(entry).has_value(); });
  for (; !complete.empty(); complete.pop_back()) {
    try {
      return LoadCheckpoint(complete.back());
    } catch (const Error& error) {
      note_(StrCat(error.what(), complete.size() > 1 ? "; falling back to the checkpoint before it" : ""));
    }
  }
  if (any) ThrowBadInput(folder_.string(), "holds checkpoints, but none of them is whole");
  return {};
}

void CheckpointStore::DropAfter(int64_t step) const {
  for (const fs::path& entry : ListFolder(folder_)) {
    const std::optional<int64_t> found = CheckpointStep(entry);
    if (found && *found > step) RemoveCheckpoint(entry, note_);
  }
}

void CheckpointStore::Prune(const fs::path& newest) const {
  std::vector<fs::path> older;
  for (const fs::path& folder : Complete()) {
    if (*CheckpointStep(folder) < *CheckpointStep(newest)) older.push_back(folder);
  }
  // `newest` is one of those kept.
  const size_t kept = std::min(older.size(), size_t(policy_.keep - 1));
  for (size_t i = 0; i < older.size() - kept; ++i) {
    const bool marked = policy_.keep_every > 0 && *CheckpointStep(older[i]) % policy_.keep_every == 0;
    if (!marked) RemoveCheckpoint(older[i], note_);
  }
}

}  // namespace mvd
