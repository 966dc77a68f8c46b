#include "mvd/base/paths.h"

#include <algorithm>
#include <cerrno>

#include "mvd/base/file_error.h"
#include "mvd/base/process_end.h"

namespace mvd {
namespace fs = std::filesystem;

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

std::vector<fs::path> ListFolder(const fs::path& folder) {
  std::error_code code;
  std::vector<fs::path> entries;
  for (fs::directory_iterator it(folder, code), end; !code && it != end; it.increment(code))
    entries.push_back(it->path());
  if (code) ThrowUnreadable(folder.string(), code.value());
  std::ranges::sort(entries);
  return entries;
}

std::vector<fs::path> ListTree(const fs::path& folder) {
  std::error_code code;
  std::vector<fs::path> files;
  for (fs::recursive_directory_iterator it(folder, code), end; !code && it != end; it.increment(code))
    if (it->is_regular_file(code) && !code) files.push_back(it->path());
  if (code) ThrowUnreadable(folder.string(), code.value());
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
        ThrowBadInput(part.string(), "is ", FileKind(status->st_mode), ", expected a folder");
    }
  }
  ThrowUnwritable(folder.string(), code.value());
}

void RemoveAll(const fs::path& path) {
  std::error_code code;
  fs::remove_all(path, code);
  if (code) ThrowUnwritable(path.string(), code.value());
}

}  // namespace mvd
