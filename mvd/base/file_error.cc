#include "mvd/base/file_error.h"

#include <cerrno>
#include <system_error>

namespace mvd {
namespace {

// What is the same for reading and writing; returns for everything else.
void ThrowCommon(const std::string& path, const char* what, int reason) {
  switch (reason) {
    case ENOENT:
    case ENOTDIR:
      ThrowNotFound(path);
    case EACCES:
    case EPERM:
      throw Error(Exit::kNotAllowed, path, StrCat(what, "no permission"));
    case ENOMEM:
      throw Error(Exit::kOutOfMemory, path, StrCat(what, "out of memory"));
    case ENAMETOOLONG:
      ThrowBadInput(path, what, "the name is too long");
    case ELOOP:
      ThrowBadInput(path, what, "its symbolic links go round in a circle");
    default:
      return;
  }
}

std::string SystemText(int reason) { return std::generic_category().message(reason); }

}  // namespace

void ThrowUnreadable(const std::string& path, int reason) {
  constexpr const char* kWhat = "cannot be read: ";
  ThrowCommon(path, kWhat, reason);
  if (reason == EIO) ThrowBadInput(path, kWhat, "the device failed");
  ThrowBadInput(path, kWhat, SystemText(reason));
}

void ThrowUnwritable(const std::string& path, int reason) {
  constexpr const char* kWhat = "cannot be written: ";
  ThrowCommon(path, kWhat, reason);
  switch (reason) {
    case EROFS:
      throw Error(Exit::kNotAllowed, path, StrCat(kWhat, "the file system is read-only"));
    case EPIPE:
      throw ReaderGone(Exit::kNotWritten, path, StrCat(kWhat, "its reader has gone"));
    case ENOSPC:
      throw Error(Exit::kNotWritten, path, StrCat(kWhat, "the disk is full"));
    case EDQUOT:
      throw Error(Exit::kNotWritten, path, StrCat(kWhat, "the disk quota is used up"));
    case EIO:
      throw Error(Exit::kNotWritten, path, StrCat(kWhat, "the device failed"));
    case EFBIG:
      throw Error(Exit::kNotWritten, path, StrCat(kWhat, "it would be larger than files may be here"));
    default:
      throw Error(Exit::kNotWritten, path, StrCat(kWhat, SystemText(reason)));
  }
}

}  // namespace mvd
