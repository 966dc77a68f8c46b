// Files that the build put into the program (cmake/embed.cmake).
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>

namespace mvd {

struct EmbeddedFile {
  std::string_view path;  // inside its folder, by '/'
  std::span<const uint8_t> bytes;
};

struct EmbeddedFiles {
  std::span<const EmbeddedFile> files;
  std::string_view hash;  // of names and contents, 16 hexadecimal digits
};

// The folder of kDefaultModel (bundled_models.h).
EmbeddedFiles EmbeddedDefaultModel();

// Writes `embedded` to the folder `cache`/<hash>/`name` where it is not there yet, and returns that folder.
// Each file appears whole or not at all, and `last`, which tells that all are there, after the others.
// Several processes may do so at once. Error(kBadInput) where a file cannot be written.
std::filesystem::path Unpack(const EmbeddedFiles& embedded, std::string_view last,
                             const std::filesystem::path& cache, std::string_view name);

// Where a user's caches are: XDG_CACHE_HOME, else HOME/.cache, and there `mobilevd`. Empty where neither is
// set.
std::filesystem::path CacheFolder();

}  // namespace mvd
