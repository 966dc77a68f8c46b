#include "mvd/base/atomic_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <mutex>
#include <set>

#include "mvd/base/error.h"

namespace mvd {
namespace fs = std::filesystem;
namespace {

// The names to remove when the process is told to end. Process-wide because the process's end is.
struct OpenTemporaries {
  std::mutex mutex;
  std::set<fs::path> paths;
};
OpenTemporaries& Open() {
  static OpenTemporaries open;
  return open;
}

// False, with errno, where the system says that the content may be lost; true where it only cannot sync.
bool Sync(const fs::path& path, int flags) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC);
  if (fd < 0) return true;
  const bool synced = ::fsync(fd) == 0 || errno == EINVAL || errno == ENOSYS || errno == ENOTSUP;
  const int reason = errno;
  ::close(fd);
  errno = reason;
  return synced;
}

}  // namespace

AtomicFile::AtomicFile(fs::path target) : target_(std::move(target)) {
  fs::path folder = target_.parent_path();
  if (folder.empty()) folder = ".";
  std::error_code code;
  if (!fs::is_directory(folder, code)) ThrowNotFound(folder.string());
  temporary_ = folder / ("." + target_.filename().string() + "." + std::to_string(::getpid()) + ".part");
  std::lock_guard lock(Open().mutex);
  Open().paths.insert(temporary_);
}

AtomicFile::~AtomicFile() {
  std::lock_guard lock(Open().mutex);
  Open().paths.erase(temporary_);
  std::error_code code;
  if (!done_) fs::remove_all(temporary_, code);
}

void AtomicFile::Commit() {
  if (!Sync(temporary_, O_RDONLY)) {
    ThrowBadInput(target_.string(), "cannot be written: ", std::strerror(errno));
  }
  std::error_code code;
  fs::rename(temporary_, target_, code);
  if (code) ThrowBadInput(target_.string(), "cannot be written: ", code.message());
  done_ = true;
  const fs::path folder = target_.parent_path();
  Sync(folder.empty() ? fs::path(".") : folder, O_RDONLY | O_DIRECTORY);
}

void WriteFile(const fs::path& target, std::string_view content) {
  AtomicFile file(target);
  {
    std::ofstream out(file.temporary(), std::ios::binary);
    out.write(content.data(), std::streamsize(content.size()));
    out.flush();
    if (!out) ThrowBadInput(target.string(), "cannot be written: ", std::strerror(errno));
  }
  file.Commit();
}

std::string ReadFile(const fs::path& path, size_t max_bytes) {
  std::error_code code;
  if (!fs::exists(path, code)) ThrowNotFound(path.string());
  if (!fs::is_regular_file(path, code)) ThrowBadInput(path.string(), "is not a regular file");
  const auto size = fs::file_size(path, code);
  if (code) ThrowBadInput(path.string(), "cannot be read: ", code.message());
  if (size > max_bytes)
    ThrowBadInput(path.string(), "has ", size, " bytes, at most ", max_bytes, " are read");
  std::string content(size, '\0');
  std::ifstream in(path, std::ios::binary);
  in.read(content.data(), std::streamsize(size));
  if (in.gcount() != std::streamsize(size)) ThrowBadInput(path.string(), "cannot be read whole");
  return content;
}

void RemoveOpenTemporaries() {
  std::lock_guard lock(Open().mutex);
  std::error_code code;
  for (const fs::path& path : Open().paths) fs::remove_all(path, code);
}

}  // namespace mvd
