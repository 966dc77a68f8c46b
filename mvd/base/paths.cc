#include "mvd/base/paths.h"

#include <dirent.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "mvd/base/file_error.h"
#include "mvd/base/process_end.h"

namespace mvd {
namespace fs = std::filesystem;
namespace {

struct CloseFolder {
  void operator()(DIR* folder) const { ::closedir(folder); }
};

// And not a link to one.
bool IsFolderItself(const fs::path& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

}  // namespace

std::optional<struct stat> StatOf(const fs::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0) return status;
  if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
  ThrowUnreadable(path.string(), errno);
}

bool PathExists(const fs::path& path) { return StatOf(path).has_value(); }

bool IsFolder(const fs::path& path) {
  const auto status = StatOf(path);
  return status && S_ISDIR(status->st_mode);
}

bool IsRegularFile(const fs::path& path) {
  const auto status = StatOf(path);
  return status && S_ISREG(status->st_mode);
}

bool IsEmptyFolder(const fs::path& path) { return IsFolder(path) && ListFolder(path).empty(); }

uint64_t FileSize(const fs::path& path) {
  const auto status = StatOf(path);
  if (!status) ThrowNotFound(path.string());
  return uint64_t(status->st_size);
}

std::string_view FileKind(mode_t mode) {
  if (S_ISDIR(mode)) return "a folder";
  if (S_ISREG(mode)) return "a regular file";
  if (S_ISFIFO(mode)) return "a FIFO";
  if (S_ISSOCK(mode)) return "a socket";
  return "a device";
}

// By readdir: libstdc++'s iterators end the process where they find no memory.
std::vector<fs::path> ListFolder(const fs::path& folder) {
  const std::unique_ptr<DIR, CloseFolder> open(::opendir(folder.c_str()));
  if (!open) ThrowUnreadable(folder.string(), errno);
  std::vector<fs::path> entries;
  for (;;) {
    errno = 0;
    const dirent* const entry = ::readdir(open.get());
    if (!entry && errno) ThrowUnreadable(folder.string(), errno);
    if (!entry) break;
    const std::string_view name(entry->d_name);
    if (name != "." && name != "..") entries.push_back(folder / name);
  }
  std::ranges::sort(entries);
  return entries;
}

std::vector<fs::path> ListTree(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const fs::path& entry : ListFolder(folder)) {
    if (IsFolderItself(entry)) {
      const std::vector<fs::path> below = ListTree(entry);
      files.insert(files.end(), below.begin(), below.end());
    } else if (IsRegularFile(entry)) {
      files.push_back(entry);
    }
  }
  std::ranges::sort(files);
  return files;
}

void MakeFolders(const fs::path& folder) {
  const auto gate = WhileProcessGoesOn();  // else a folder that was cleaned away could come back
  std::error_code code;
  fs::create_directories(folder, code);
  if (!code) return;
  if (code == std::errc::not_a_directory || code == std::errc::file_exists) {
    for (fs::path part = folder; !part.empty() && part != part.parent_path(); part = part.parent_path()) {
      const auto status = StatOf(part);
      if (status && !S_ISDIR(status->st_mode))
        throw Error(Exit::kUsage, part.string(),
                    StrCat("is ", FileKind(status->st_mode), ", expected a folder"));
    }
  }
  ThrowUnwritable(folder.string(), code.value());
}

void RemoveAll(const fs::path& path) {
  const bool folder = IsFolderItself(path);
  if (folder)
    for (const fs::path& entry : ListFolder(path)) RemoveAll(entry);
  const int failed = folder ? ::rmdir(path.c_str()) : ::unlink(path.c_str());
  if (failed && errno != ENOENT && errno != ENOTDIR) ThrowUnwritable(path.string(), errno);
}

}  // namespace mvd
