// Files that appear whole or not at all: written under a temporary name beside the target, synced, renamed.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace mvd {

class AtomicFile {
 public:
  // Reserves the temporary name `<folder>/.<name>.<pid>.part`; throws Error(kNotFound) where the folder does
  // not exist.
  explicit AtomicFile(std::filesystem::path target);
  ~AtomicFile();  // without Commit, removes what was written
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  // Where to write. For libraries that open files themselves.
  const std::filesystem::path& temporary() const { return temporary_; }
  // fsync, rename over the target, fsync of the folder. Throws Error(kBadInput) naming the target where that
  // fails.
  void Commit();

 private:
  std::filesystem::path target_;
  std::filesystem::path temporary_;
  bool done_ = false;
};

// Writes `content` as a whole file.
void WriteFile(const std::filesystem::path& target, std::string_view content);
// Reads a whole file; Error(kNotFound) if absent, Error(kBadInput) above `max_bytes`.
std::string ReadFile(const std::filesystem::path& path, size_t max_bytes);

// Removes every temporary file now open. Safe in a thread of its own while others still write: the last act
// of a process that must end at once.
void RemoveOpenTemporaries();

}  // namespace mvd
