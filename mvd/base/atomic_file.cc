#include "mvd/base/atomic_file.h"

#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>

#include "mvd/base/file_error.h"
#include "mvd/base/move_file.h"
#include "mvd/base/output_file.h"
#include "mvd/base/paths.h"
#include "mvd/base/process_end.h"

namespace mvd {
namespace fs = std::filesystem;
namespace {

// A name's bytes on all common file systems, less what is put around it.
constexpr size_t kMaxStem = 255 - sizeof("..4294967295-0123456789abcdef.part");

fs::path FolderOf(const fs::path& target) {
  return target.has_parent_path() ? target.parent_path() : fs::path(".");
}

// Other processes, other machines on a shared disk and our own threads choose names at the same time.
std::string UniqueSuffix() {
  static std::atomic<uint32_t> counter{0};
  uint32_t random = 0;
  if (::getrandom(&random, sizeof random, GRND_NONBLOCK) < 0) random = 0;
  char text[64];
  std::snprintf(text, sizeof text, ".%d-%08x%08x.part", int(::getpid()), random, counter++);
  return text;
}

// Cut where a character of UTF-8 begins.
std::string Shortened(std::string stem) {
  if (stem.size() <= kMaxStem) return stem;
  size_t end = kMaxStem;
  while (end > 0 && (uint8_t(stem[end]) & 0xc0) == 0x80) --end;
  return stem.substr(0, end);
}

}  // namespace

AtomicPath::AtomicPath(const fs::path& target, Replace replace, Kind kind)
    : name_(target.string()), target_(FollowLinks(target)), replace_(replace) {
  if (const auto there = StatOf(target_)) {
    const bool folder = S_ISDIR(there->st_mode), fits = folder == (kind == Kind::kFolder);
    if (!folder && !S_ISREG(there->st_mode))
      throw Error(Exit::kUsage, name_, StrCat("is ", FileKind(there->st_mode), ", which is not replaced"));
    if (!fits)
      throw Error(Exit::kUsage, name_, folder ? "is a folder, not a file" : "exists and is not a folder");
    if (replace == Replace::kNo && !(folder && IsEmptyFolder(target_))) ThrowExists();
    std::error_code code;
    if (folder) target_ = fs::canonical(target_, code);  // "." has no name of its own
    if (code) ThrowUnwritable(name_, code.value());
  }
  const fs::path folder = FolderOf(target_);
  if (!IsFolder(folder)) ThrowNotFound(folder.string());
  const std::string stem = Shortened(target_.filename().string());
  const auto lock = WhileProcessGoesOn();
  for (int attempt = 0;; ++attempt) {
    temporary_ = folder / ("." + stem + UniqueSuffix());
    AddTemporary(lock, temporary_);  // first: nothing may fail between the file and its entry
    const int made = kind == Kind::kFolder
                         ? ::mkdir(temporary_.c_str(), 0777)
                         : ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    const int reason = errno;
    if (made >= 0 && kind == Kind::kFile) ::close(made);
    if (made >= 0) return;
    ForgetTemporary(lock, temporary_);
    if (reason != EEXIST || attempt == 100) ThrowUnwritable(name_, reason);
  }
}

AtomicPath::~AtomicPath() {
  const auto lock = WhileProcessGoesOn();
  ForgetTemporary(lock, temporary_);
  if (done_ || ::unlink(temporary_.c_str()) == 0) return;
  for (int attempt = 0; attempt < 2; ++attempt) {
    try {
      RemoveAll(temporary_);
      return;
    } catch (const std::exception&) {  // no permission; or no memory, of which there may be more now
    }
  }
}

void AtomicPath::ThrowExists() const {
  throw Error(Exit::kUsage, name_,
              IsFolder(target_) ? "exists and is not an empty folder" : "exists and is not replaced");
}

// The file stands under its name: that its folder cannot be synced takes nothing from it.
void AtomicPath::SyncFolderOfTarget() const {
  try {
    Sync(FolderOf(target_), O_RDONLY | O_DIRECTORY, name_);
  } catch (const Error&) {
  }
}

AtomicFile::AtomicFile(const fs::path& target, Replace replace) : AtomicPath(target, replace, Kind::kFile) {}

void AtomicFile::Commit() {
  Sync(temporary_, O_RDONLY, name_);
  {
    const auto lock = WhileProcessGoesOn();
    if (const auto there = StatOf(target_); there && !S_ISREG(there->st_mode))
      throw Error(Exit::kUsage, name_, StrCat("is ", FileKind(there->st_mode), ", which is not replaced"));
    const int reason = replace_ == Replace::kYes ? MoveReplacing(temporary_, target_)
                                                 : MoveWithoutReplacing(temporary_, target_);
    if (reason == EEXIST) ThrowExists();
    if (reason) ThrowUnwritable(name_, reason);
    done_ = true;
    ForgetTemporary(lock, temporary_);
  }
  SyncFolderOfTarget();
}

AtomicFolder::AtomicFolder(const fs::path& target, Replace replace, Foreign foreign)
    : AtomicPath(target, replace, Kind::kFolder), foreign_(std::move(foreign)) {
  if (replace == Replace::kYes && IsFolder(target_)) CheckForeign(target_);
}

void AtomicFolder::CheckForeign(const fs::path& folder) const {
  const std::string name = foreign_ ? foreign_(folder) : "";
  if (!name.empty())
    throw Error(Exit::kUsage, name_, StrCat("holds '", name, "', which is not ours to remove"));
}

// The old folder takes the temporary name.
void AtomicFolder::Exchange() {
  if (::renameat2(AT_FDCWD, temporary_.c_str(), AT_FDCWD, target_.c_str(), RENAME_EXCHANGE) == 0) return;
  if (errno != ENOSYS && errno != EINVAL) ThrowUnwritable(name_, errno);
  // A file system without it: for a moment there is neither.
  const fs::path aside = temporary_.string() + ".old";
  if (::rename(target_.c_str(), aside.c_str()) != 0) ThrowUnwritable(name_, errno);
  if (::rename(temporary_.c_str(), target_.c_str()) != 0) {
    const int reason = errno;
    (void)!::rename(aside.c_str(), target_.c_str());
    ThrowUnwritable(name_, reason);
  }
  if (::rename(aside.c_str(), temporary_.c_str()) != 0) ThrowUnwritable(aside.string(), errno);
}

void AtomicFolder::Commit() {
  for (const fs::path& file : ListTree(temporary_)) Sync(file, O_RDONLY, name_);
  Sync(temporary_, O_RDONLY | O_DIRECTORY, name_);
  {
    const auto lock = WhileProcessGoesOn();
    // Over an empty folder, but over no other, a folder is renamed.
    int reason = ::rename(temporary_.c_str(), target_.c_str()) == 0 ? 0 : errno;
    if (reason == ENOTEMPTY || reason == EEXIST) {
      if (replace_ == Replace::kNo) ThrowExists();
      Exchange();
      try {
        CheckForeign(temporary_);  // again: somebody may have added to it while we wrote
      } catch (const Error&) {
        Exchange();
        throw;
      }
      RemoveAll(temporary_);
      reason = 0;
    } else if (reason == EBUSY) {  // the empty folder is a mount point
      MoveFilesInto();
      reason = 0;
    }
    if (reason) ThrowUnwritable(name_, reason);
    done_ = true;
    ForgetTemporary(lock, temporary_);
  }
  SyncFolderOfTarget();
}

void AtomicFolder::MoveFilesInto() {
  for (const fs::path& file : ListTree(temporary_)) {
    const fs::path to = target_ / file.lexically_relative(temporary_);
    std::error_code code;
    fs::create_directories(to.parent_path(), code);
    if (!code) fs::rename(file, to, code);
    if (code) ThrowUnwritable(to.string(), code.value());
  }
  RemoveAll(temporary_);
}

void AtomicFolder::CommitInto() {
  if (!IsFolder(target_)) return Commit();
  const auto lock = WhileProcessGoesOn();
  MoveFilesInto();
  done_ = true;
  ForgetTemporary(lock, temporary_);
}

void CheckFileTarget(const fs::path& target, Replace replace) { AtomicFile file(target, replace); }

void WriteFile(const fs::path& target, std::string_view content, Replace replace) {
  AtomicFile file(target, replace);
  OutputFile out(file.temporary(), target.string());
  out.Write(content);
  out.Close();
  file.Commit();
}

std::string ReadFile(const fs::path& path, size_t max_bytes) {
  const auto status = StatOf(path);
  if (!status) ThrowNotFound(path.string());
  if (!S_ISREG(status->st_mode)) ThrowBadInput(path.string(), "is not a regular file");
  const auto size = uint64_t(status->st_size);
  if (size > max_bytes)
    ThrowBadInput(path.string(), "has ", size, " bytes, at most ", max_bytes, " are read");
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (descriptor < 0) ThrowUnreadable(path.string(), errno);
  struct Closer {
    int descriptor;
    ~Closer() { ::close(descriptor); }
  } closer{descriptor};
  std::string content(size, '\0');
  for (size_t done = 0; done < size;) {
    const ssize_t got = ::read(descriptor, content.data() + done, size - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) ThrowUnreadable(path.string(), errno);
    if (got == 0) ThrowBadInput(path.string(), "cannot be read whole: it became shorter");
    done += size_t(got);
  }
  return content;
}

}  // namespace mvd
