#include "mvd/io/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "mvd/base/file_error.h"
#include "mvd/base/paths.h"
#include "mvd/io/model_links.h"

namespace mvd {
namespace {

// O_NONBLOCK: opening a FIFO must not wait for a writer. It means nothing to a regular file.
constexpr int kOpenFlags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;

struct Descriptor {
  int value;
  ~Descriptor() {
    if (value >= 0) ::close(value);
  }
};

}  // namespace

MappedFile MappedFile::Open(const std::filesystem::path& path) {
  const Descriptor file{::open(path.c_str(), kOpenFlags)};
  if (file.value < 0) ThrowUnreadable(path.string(), errno);
  return Map(file.value, path.string());
}

MappedFile MappedFile::OpenInside(const std::filesystem::path& folder, const std::string& name) {
  const std::filesystem::path real = ResolveInModel(folder, name);
  const std::string path = (folder / name).string();
  const Descriptor file{::open(real.c_str(), kOpenFlags | O_NOFOLLOW)};
  if (file.value < 0) ThrowUnreadable(path, errno);
  return Map(file.value, path);
}

MappedFile MappedFile::Map(int descriptor, std::string path) {
  struct stat status {};
  if (::fstat(descriptor, &status) != 0) ThrowUnreadable(path, errno);
  if (!S_ISREG(status.st_mode)) ThrowBadInput(path, "is ", FileKind(status.st_mode), ", not a regular file");
  MappedFile map;
  map.path_ = std::move(path);
  if (status.st_size == 0) return map;  // nothing to map
  const auto size = size_t(status.st_size);
  void* data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
  if (data == MAP_FAILED) ThrowUnreadable(map.path_, errno);
  map.data_ = static_cast<const uint8_t*>(data);
  map.size_ = size;
  return map;
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

MappedFile::~MappedFile() {
  if (data_) ::munmap(const_cast<uint8_t*>(data_), size_);
}

void MappedFile::DropPages(uint64_t begin, uint64_t size) const {
  MVD_CHECK(begin <= size_ && size <= size_ - begin, "bytes ", begin, " + ", size, " of ", size_);
  const auto page = uint64_t(::sysconf(_SC_PAGESIZE));
  const uint64_t first = (begin + page - 1) / page * page;
  const uint64_t last = (begin + size) / page * page;
  // Advice: where it is refused, memory stays in use and nothing else changes.
  if (first < last) ::madvise(const_cast<uint8_t*>(data_) + first, last - first, MADV_DONTNEED);
}

}  // namespace mvd
