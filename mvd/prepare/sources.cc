#include "mvd/prepare/sources.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <fstream>
#include <optional>

#include "mvd/base/error.h"
#include "mvd/base/file_error.h"
#include "mvd/base/paths.h"

namespace mvd {
namespace fs = std::filesystem;
namespace {

constexpr std::array kClipExtensions{".mp4", ".m4v", ".mov", ".webm", ".mkv", ".avi", ".gif", ".y4m", ".ts"};
constexpr std::array kPictureExtensions{".png", ".jpg", ".jpeg", ".ppm"};

// "RIFF....WEBPVP8X", then a byte of flags: bit 1 says that it moves (WebP container specification).
bool IsAnimatedWebp(const fs::path& path) {
  char head[21] = {};
  std::ifstream in(path, std::ios::binary);
  in.read(head, sizeof(head));
  return in && std::string_view(head + 12, 4) == "VP8X" && (head[20] & 2);
}

std::optional<SourceKind> KindOf(const fs::path& path) {
  std::string extension = path.extension().string();
  for (char& c : extension) c = char(std::tolower(static_cast<unsigned char>(c)));
  if (std::ranges::find(kClipExtensions, extension) != kClipExtensions.end()) return SourceKind::kClip;
  if (std::ranges::find(kPictureExtensions, extension) != kPictureExtensions.end())
    return SourceKind::kPicture;
  if (extension == ".webp") return IsAnimatedWebp(path) ? SourceKind::kClip : SourceKind::kPicture;
  return std::nullopt;
}

// Adds what lies in `folder` and below. False, with `code`, where it cannot be listed; of folders below it
// one entry each in `failures`.
bool Search(const fs::path& top, const fs::path& folder, std::vector<SourceFile>& sources,
            std::vector<SourceFailure>& failures, std::error_code& code) {
  for (auto it = fs::directory_iterator(folder, code); !code && it != fs::directory_iterator();
       it.increment(code)) {
    const fs::path& path = it->path();
    if (path.filename().string().starts_with('.')) continue;
    std::error_code own;
    if (it->is_directory(own)) {
      if (!it->is_symlink(own) && !Search(top, path, sources, failures, own))
        failures.push_back({path.string(), StrCat(path.string(), ": cannot be listed: ", own.message())});
    } else if (const auto kind = KindOf(path)) {
      sources.push_back({path.lexically_relative(top).generic_string(), path, *kind});
    }
  }
  return !code;
}

}  // namespace

std::vector<SourceFile> ListSources(const fs::path& folder, std::vector<SourceFailure>& failures) {
  std::error_code code;
  if (!PathExists(folder)) ThrowNotFound(folder.string());
  std::vector<SourceFile> sources;
  if (!IsFolder(folder)) {
    const auto kind = KindOf(folder);
    if (!kind)
      ThrowBadInput(folder.string(), "is neither a folder nor a clip nor a picture by its extension");
    return {{folder.filename().string(), folder, *kind}};
  }
  if (!Search(folder, folder, sources, failures, code)) ThrowUnreadable(folder.string(), code.value());
  std::ranges::sort(sources, {}, &SourceFile::name);
  return sources;
}

}  // namespace mvd
