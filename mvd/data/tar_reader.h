// Tar files (POSIX ustar) read as a list of members: nothing is unpacked, and no size or name is believed
// before it is checked.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace mvd {

struct TarMember {
  std::string name;     // relative, without "." or ".." parts and without control characters
  uint64_t offset = 0;  // of the data, bytes from the start of the file
  uint64_t size = 0;    // the data lie whole inside the file
};

struct TarListing {
  std::vector<TarMember> members;     // the good ones, in the file's order
  std::vector<std::string> problems;  // one line each, with the file's name
};

// Reads the headers, not the data. What is wrong with one member (its name, its kind) costs that member;
// after a damaged header or a size beyond the file's end nothing behind it can be trusted, and the list ends.
// Regular files alone are members, folders are passed over; extended headers, links and devices are refused.
// Error(kNotFound) without the file, Error(kBadInput) where it cannot be read.
TarListing ListTar(const std::filesystem::path& path);

// Reads a range that ListTar found. Error(kBadInput) where the file has shrunk.
void ReadRange(const std::filesystem::path& path, uint64_t offset, uint64_t size, void* to);

}  // namespace mvd
