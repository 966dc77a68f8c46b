// What the fuzz targets share: an input is refused with one line and the exit code for bad input, or it is
// taken.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>

#include "mvd/base/error.h"

namespace mvd {

// Ends the run with a finding.
inline void Require(bool condition) {
  if (!condition) std::abort();
}

// Runs `body`; anything that it throws but an Error of one line, for bad input or for sizes that fit no
// machine, is a finding.
template <class Body>
void BadInputAtMost(const Body& body) {
  try {
    body();
  } catch (const Error& error) {
    Require(error.exit() == Exit::kBadInput || error.exit() == Exit::kOutOfMemory);
    Require(!std::strchr(error.what(), '\n'));
  }
}

// The input as a file in memory, for readers that open a path.
class InputFile {
 public:
  InputFile(const uint8_t* data, size_t size) : descriptor_(::memfd_create("fuzz", MFD_CLOEXEC)) {
    Require(descriptor_ >= 0 && ::write(descriptor_, data, size) == ssize_t(size));
  }
  ~InputFile() { ::close(descriptor_); }
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  std::filesystem::path path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

 private:
  int descriptor_;
};

}  // namespace mvd
