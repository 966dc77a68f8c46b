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

}  // namespace

std::vector<SourceFile> ListSources(const fs::path& folder) {
  std::error_code code;
  if (!PathExists(folder)) ThrowNotFound(folder.string());
  std::vector<SourceFile> sources;
  if (!IsFolder(folder)) {
    const auto kind = KindOf(folder);
    if (!kind)
      ThrowBadInput(folder.string(), "is neither a folder nor a clip nor a picture by its extension");
    return {{folder.filename().string(), folder, *kind}};
  }
  for (auto it =
           fs::recursive_directory_iterator(folder, fs::directory_options::skip_permission_denied, code);
       it != fs::recursive_directory_iterator(); it.increment(code)) {
    if (code) ThrowUnreadable(folder.string(), code.value());
    const bool hidden = it->path().filename().string().starts_with('.');
    if (it->is_directory(code)) {
      if (hidden) it.disable_recursion_pending();
      continue;
    }
    const auto kind = hidden ? std::nullopt : KindOf(it->path());
    if (kind) sources.push_back({it->path().lexically_relative(folder).generic_string(), it->path(), *kind});
  }
  if (code) ThrowUnreadable(folder.string(), code.value());
  std::ranges::sort(sources, {}, &SourceFile::name);
  return sources;
}

}  // namespace mvd
