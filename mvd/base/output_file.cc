#include "mvd/base/output_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "mvd/base/file_error.h"

namespace mvd {
namespace {

constexpr size_t kBufferBytes = 1 << 16;

// `write` puts (from, size, done so far) and returns as write(2) does.
template <class Write>
void WriteWhole(std::string_view bytes, const std::string& name, const Write& write) {
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t wrote = write(bytes.data() + done, bytes.size() - done, done);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) ThrowUnwritable(name, wrote < 0 ? errno : ENOSPC);
    done += size_t(wrote);
  }
}

}  // namespace

OutputFile::OutputFile(const std::filesystem::path& file, std::string name)
    : name_(std::move(name)),
      descriptor_(::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0666)),
      owned_(true) {
  if (descriptor_ < 0) ThrowUnwritable(name_, errno);
}

OutputFile::OutputFile(int descriptor, std::string name)
    : name_(std::move(name)), descriptor_(descriptor), owned_(false) {}

OutputFile::~OutputFile() {
  if (owned_ && descriptor_ >= 0) ::close(descriptor_);
}

void OutputFile::Write(std::string_view bytes) {
  if (buffer_.size() + bytes.size() < kBufferBytes) {
    buffer_ += bytes;
    return;
  }
  Flush();
  WriteWhole(bytes, name_,
             [&](const char* from, size_t size, size_t) { return ::write(descriptor_, from, size); });
}

void OutputFile::Flush() {
  WriteWhole(buffer_, name_,
             [&](const char* from, size_t size, size_t) { return ::write(descriptor_, from, size); });
  buffer_.clear();
}

void OutputFile::Close() {
  Flush();
  if (!owned_) return;
  // After EINTR the descriptor is closed all the same.
  if (::close(std::exchange(descriptor_, -1)) != 0 && errno != EINTR) ThrowUnwritable(name_, errno);
}

void WriteAt(int descriptor, uint64_t offset, std::string_view bytes, const std::string& name) {
  WriteWhole(bytes, name, [&](const char* from, size_t size, size_t done) {
    return ::pwrite(descriptor, from, size, off_t(offset + done));
  });
}

}  // namespace mvd
