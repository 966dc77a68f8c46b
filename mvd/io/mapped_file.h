// A regular file mapped read-only. Only regular files: a FIFO would block, a device has no end.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace mvd {

class MappedFile {
 public:
  // A path a user or this program chose; symbolic links are followed. Error(kNotFound) where it is absent,
  // Error(kBadInput) where it is no regular file or cannot be read.
  static MappedFile Open(const std::filesystem::path& path);
  // A file of a model folder, whose name may have come out of an index: a plain base name, and only where
  // ResolveInModel (model_links.h) lets it lead. Every failure is Error(kBadInput), absence too.
  static MappedFile OpenInside(const std::filesystem::path& folder, const std::string& name);

  MappedFile() = default;
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  // Valid until destruction. Whoever truncates the file meanwhile ends this process with SIGBUS: write
  // replacements through AtomicFile, which renames.
  std::span<const uint8_t> bytes() const { return {data_, size_}; }
  std::string_view text() const { return {reinterpret_cast<const char*>(data_), size_}; }
  const std::string& path() const { return path_; }
  // Lets the system drop the whole pages inside [begin, begin + size); reading them again loads them again.
  void DropPages(uint64_t begin, uint64_t size) const;

 private:
  static MappedFile Map(int descriptor, std::string path);

  std::string path_;
  const uint8_t* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace mvd
