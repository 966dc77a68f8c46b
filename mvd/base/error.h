// The one exception for bad input: what was found, what was expected, in which file. Caught in main.
#pragma once

#include <exception>
#include <string>
#include <utility>

#include "mvd/base/check.h"

namespace mvd {

// Exit codes of the program. This is the only list of them.
enum class Exit {
  kOk = 0,
  kInternal = 1,     // a bug of ours
  kUsage = 2,        // wrong options
  kBadInput = 3,     // bad input or model file, a shard missing inside a model folder too
  kNotFound = 4,     // a path given on the command line does not exist
  kOutOfMemory = 5,  // the message names the needed amount
  kCancelled = 6,
  kPartial = 7,      // part of a batch failed
  kCheckFailed = 8,  // a check did not hold
  kNotWritten = 9,   // the disk is full, a quota is met, or a device failed while a file was written
  kNotAllowed = 10,  // no permission to read or write a path
};

class Error : public std::exception {
 public:
  // `file` is empty where no file is to blame. The message already reads as one complete line.
  Error(Exit exit, std::string file, std::string message)
      : exit_(exit),
        file_(std::move(file)),
        message_(file_.empty() ? std::move(message) : file_ + ": " + message) {}

  Exit exit() const { return exit_; }
  const std::string& file() const { return file_; }
  const char* what() const noexcept override { return message_.c_str(); }

 private:
  Exit exit_;
  std::string file_;
  std::string message_;
};

template <class... Args>
[[noreturn]] void ThrowBadInput(const std::string& file, const Args&... args) {
  throw Error(Exit::kBadInput, file, StrCat(args...));
}

template <class... Args>
[[noreturn]] void ThrowUsage(const Args&... args) {
  throw Error(Exit::kUsage, "", StrCat(args...));
}

[[noreturn]] inline void ThrowNotFound(const std::string& path) {
  throw Error(Exit::kNotFound, path, "no such file or folder");
}

}  // namespace mvd
