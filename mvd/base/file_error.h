// What the system says about a path, as an Error. The one table from errno to an exit code and a sentence.
#pragma once

#include <string>

#include "mvd/base/error.h"

namespace mvd {

// The reader of a pipe has gone. Not worth a message: who closed the pipe knows.
class ReaderGone : public Error {
 public:
  using Error::Error;
};

// `reason` is an errno, or the value of a std::error_code of the filesystem library.
//   no such path           kNotFound
//   no permission          kNotAllowed (a read-only file system too)
//   no memory              kOutOfMemory
// Everything else is kBadInput where `path` was to be read. Where it was to be written, a name that no file
// can have is kBadInput, a full disk, a quota, a failing device and all the rest is kNotWritten.
[[noreturn]] void ThrowUnreadable(const std::string& path, int reason);
[[noreturn]] void ThrowUnwritable(const std::string& path, int reason);

}  // namespace mvd
