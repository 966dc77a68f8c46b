#include "mvd/engine/embedded_files.h"

#include <cstdlib>

#include "mvd/base/atomic_file.h"
#include "mvd/base/error.h"
#include "mvd/base/paths.h"

namespace mvd {
namespace fs = std::filesystem;
namespace {

void Write(const EmbeddedFile& file, const fs::path& folder) {
  const fs::path path = folder / file.path;
  MakeFolders(path.parent_path());
  WriteFile(path, {reinterpret_cast<const char*>(file.bytes.data()), file.bytes.size()});
}

}  // namespace

fs::path Unpack(const EmbeddedFiles& embedded, std::string_view last, const fs::path& cache,
                std::string_view name) {
  const fs::path folder = cache / embedded.hash / name;
  if (PathExists(folder / last)) return folder;
  for (const EmbeddedFile& file : embedded.files)
    if (file.path != last) Write(file, folder);
  for (const EmbeddedFile& file : embedded.files)
    if (file.path == last) Write(file, folder);
  return folder;
}

fs::path CacheFolder() {
  const auto named = [](const char* variable) {
    const char* value = std::getenv(variable);
    return fs::path(value ? value : "");
  };
  if (const fs::path cache = named("XDG_CACHE_HOME"); cache.is_absolute()) return cache / "mobilevd";
  if (const fs::path home = named("HOME"); home.is_absolute()) return home / ".cache" / "mobilevd";
  return {};
}

}  // namespace mvd
