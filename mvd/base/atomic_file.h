// Files and folders that appear whole or not at all: made under a temporary name beside the target, synced,
// renamed. What is unfinished is removed, also when the process is told to end (process_end.h).
//
// The rules, for whatever this program writes:
// - A symbolic link is followed: the file that it leads to is replaced, in its own folder, and the link
// stays.
// - A device, a FIFO or a socket is never replaced, nor a folder by a file, nor a file by a folder.
// - With Replace::kNo nothing that exists is replaced, even if it appears while we write: of two runs onto
// one
//   name the later fails. An empty folder counts as absent.
// - A new file has the mode that umask leaves it; a replaced file keeps its mode, and its owner where it can.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

namespace mvd {

enum class Replace { kNo, kYes };

// What AtomicFile and AtomicFolder share.
class AtomicPath {
 public:
  AtomicPath(const AtomicPath&) = delete;
  AtomicPath& operator=(const AtomicPath&) = delete;

  // Where to write: `<folder>/.<name>.<pid>-<random>.part`, which exists. For libraries that open files
  // themselves.
  const std::filesystem::path& temporary() const { return temporary_; }

 protected:
  enum class Kind { kFile, kFolder };
  AtomicPath(const std::filesystem::path& target, Replace replace, Kind kind);
  ~AtomicPath();  // without Commit, removes what was written
  [[noreturn]] void ThrowExists() const;
  void SyncFolderOfTarget() const;

  std::string name_;              // as the caller spells the target, for messages
  std::filesystem::path target_;  // where its links lead
  std::filesystem::path temporary_;
  Replace replace_;
  bool done_ = false;
};

class AtomicFile : public AtomicPath {
 public:
  // Makes the empty temporary file, so that what forbids writing shows before the work and not after it.
  // Error(kUsage) where the rules above forbid the target, Error(kNotFound) without its folder, else as
  // ThrowUnwritable.
  AtomicFile(const std::filesystem::path& target, Replace replace);
  // fsync, rename to the target, fsync of its folder. Errors as the constructor's.
  void Commit();
};

class AtomicFolder : public AtomicPath {
 public:
  // Says what in a folder is not ours to remove (the name of an entry), or nothing (an empty string).
  using Foreign = std::function<std::string(const std::filesystem::path& folder)>;

  // Makes the empty temporary folder. With Replace::kYes a target that is not empty is replaced as a whole,
  // but only where `foreign` finds nothing in it: Error(kUsage).
  AtomicFolder(const std::filesystem::path& target, Replace replace, Foreign foreign = {});
  // fsync of each file, rename to the target, fsync of its folder. An old folder goes after that.
  void Commit();
  // Instead of Commit: moves each file into the target folder, over those of the same name; the others stay.
  void CommitInto();

 private:
  void CheckForeign(const std::filesystem::path& folder) const;
  void Exchange();
  void MoveFilesInto();

  Foreign foreign_;
};

// Throws what AtomicFile's constructor would; leaves nothing behind. To be asked before long work.
void CheckFileTarget(const std::filesystem::path& target, Replace replace);

// Writes `content` as a whole file.
void WriteFile(const std::filesystem::path& target, std::string_view content,
               Replace replace = Replace::kYes);
// Reads a whole file. Error(kBadInput) above `max_bytes`, else as ThrowUnreadable.
std::string ReadFile(const std::filesystem::path& path, size_t max_bytes);

}  // namespace mvd
