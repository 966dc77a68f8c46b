#include "mvd/base/move_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "mvd/base/file_error.h"
#include "mvd/base/paths.h"

namespace mvd {
namespace fs = std::filesystem;

fs::path FollowLinks(fs::path path) {
  if (!path.has_filename()) path = path.parent_path();
  const std::string name = path.string();
  for (int links = 0; links < 40; ++links) {
    std::error_code code;
    const fs::path to = fs::read_symlink(path, code);
    if (code == std::errc::invalid_argument || code == std::errc::no_such_file_or_directory) return path;
    if (code) ThrowUnwritable(name, code.value());
    path = path.parent_path() / to;  // `to` alone where it is absolute
  }
  ThrowUnwritable(name, ELOOP);
}

void Sync(const fs::path& path, int flags, const std::string& name) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC);
  if (fd < 0) ThrowUnwritable(name, errno);
  const bool synced = ::fsync(fd) == 0 || errno == EINVAL || errno == ENOSYS || errno == ENOTSUP;
  const int reason = errno;
  ::close(fd);
  if (!synced) ThrowUnwritable(name, reason);
}

int MoveWithoutReplacing(const fs::path& from, const fs::path& to) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return 0;
  if (errno != ENOSYS && errno != EINVAL) return errno;
  // A file system without it, NFS for one. A second name never replaces.
  if (::link(from.c_str(), to.c_str()) == 0) return ::unlink(from.c_str()) == 0 ? 0 : errno;
  if (errno != EPERM && errno != ENOSYS && errno != ENOTSUP) return errno;
  // Neither, as on FAT: a look, and the moment between it and the rename is unguarded.
  if (::access(to.c_str(), F_OK) == 0) return EEXIST;
  return ::rename(from.c_str(), to.c_str()) == 0 ? 0 : errno;
}

int MoveReplacing(const fs::path& from, const fs::path& to) {
  if (const auto old = StatOf(to); old && S_ISREG(old->st_mode)) {
    // Where either is not allowed the new file is ours, with the mode of a new file.
    if (::chown(from.c_str(), old->st_uid, old->st_gid) == 0 || old->st_uid == ::geteuid())
      (void)!::chmod(from.c_str(), old->st_mode & 0777);
  }
  return ::rename(from.c_str(), to.c_str()) == 0 ? 0 : errno;
}

}  // namespace mvd
