// Clips in: one named file, nothing else opened; and the recipe of any file.
#include <algorithm>
#include <fstream>

#include "mvd/base/atomic_file.h"
#include "mvd/base/error.h"
#include "mvd/base/file_error.h"
#include "mvd/base/paths.h"
#include "mvd/media/codecs.h"
#include "mvd/media/sidecar.h"

namespace mvd {
namespace fs = std::filesystem;
namespace {

constexpr size_t kMaxMemoryFile = size_t(1) << 30;

std::span<const uint8_t> AsBytes(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

// What a path leads to; only the first bytes are read. Error(kNotFound) for nothing.
enum class Source { kFolder, kPng, kJpeg, kPpm, kWebp, kGif, kY4m, kVideo };

Source SourceOf(const fs::path& path) {
  if (!PathExists(path)) ThrowNotFound(path.string());
  if (IsFolder(path)) return Source::kFolder;
  if (!IsRegularFile(path)) ThrowBadInput(path.string(), "is not a regular file");
  const std::string head = ReadHead(path, kFormatBytes);
  if (head.empty()) ThrowBadInput(path.string(), "is empty or cannot be read");
  const std::string_view image = ImageFormatOf(AsBytes(head));
  if (image == "png") return Source::kPng;
  if (image == "jpeg") return Source::kJpeg;
  if (image == "ppm") return Source::kPpm;
  if (image == "webp") return Source::kWebp;
  if (head.starts_with("GIF8")) return Source::kGif;
  if (head.starts_with("YUV4MPEG2")) return Source::kY4m;
  return Source::kVideo;
}

std::vector<fs::path> ImagesOf(const fs::path& folder) {
  std::vector<fs::path> images = ListImages(folder);
  if (images.empty()) ThrowBadInput(folder.string(), "holds no pictures (", ImageFormatNames(), ")");
  return images;
}

Clip ReadPictures(const std::vector<fs::path>& paths, int64_t max_frames) {
  Clip clip;
  for (const fs::path& path : paths) {
    if (max_frames > 0 && int64_t(clip.frames.size()) >= max_frames) break;
    AppendFrame(clip, ReadImage(path), path.string());
  }
  return clip;
}

std::optional<std::string> Nonempty(std::string text) {
  if (text.empty()) return std::nullopt;
  return text;
}

std::optional<std::string> PngRecipe(const fs::path& path) {
  const std::string bytes = ReadFile(path, kMaxMemoryFile);
  const TextMap text = PngText(AsBytes(bytes), path.string());
  const auto found = text.find(kRecipeKey);
  return found == text.end() ? std::nullopt : Nonempty(found->second);
}

std::optional<std::string> WebpRecipe(const fs::path& path) {
  const auto xmp = WebpXmp(AsBytes(ReadFile(path, kMaxMemoryFile)));
  return xmp ? XmpRecipe(*xmp) : std::nullopt;
}

std::optional<std::string> SidecarRecipe(const fs::path& path) {
  const fs::path sidecar = SidecarOf(path);
  if (!PathExists(sidecar)) return std::nullopt;
  return Nonempty(ReadFile(sidecar, kMaxMemoryFile));
}

}  // namespace

std::string ReadHead(const Path& path, size_t count) {
  std::string head(count, '\0');
  std::ifstream in(path, std::ios::binary);
  if (!in) ThrowUnreadable(path.string(), errno);
  in.read(head.data(), std::streamsize(count));
  head.resize(size_t(std::max<std::streamsize>(0, in.gcount())));
  return head;
}

Clip ReadClip(const fs::path& path, int64_t max_frames) {
  MVD_CHECK_GE(max_frames, 0);
  switch (SourceOf(path)) {
    case Source::kFolder:
      return ReadPictures(ImagesOf(path), max_frames);
    case Source::kPng:
    case Source::kJpeg:
    case Source::kPpm:
      return ReadPictures({path}, max_frames);
    case Source::kWebp:
      return ReadWebpClip(ReadFile(path, kMaxMemoryFile), max_frames, path.string());
    default:
      return ReadVideo(path, max_frames);
  }
}

ClipInfo ProbeClip(const fs::path& path) {
  const Source source = SourceOf(path);
  if (source == Source::kWebp) return ProbeWebp(ReadFile(path, kMaxMemoryFile), path.string());
  const bool folder = source == Source::kFolder;
  if (folder || source == Source::kPng || source == Source::kJpeg || source == Source::kPpm) {
    const std::vector<fs::path> paths = folder ? ImagesOf(path) : std::vector<fs::path>{path};
    const Image first = ReadImage(paths.front());
    const std::string codec(ImageFormatOf(AsBytes(ReadHead(paths.front(), kFormatBytes))));
    ClipInfo info{folder ? "folder" : codec, codec, "", first.width, first.height};
    info.frames = int64_t(paths.size());
    return info;
  }
  return ProbeVideo(path);
}

std::optional<std::string> ReadRecipe(const fs::path& path) {
  switch (SourceOf(path)) {
    case Source::kFolder: {
      const fs::path first = ImagesOf(path).front();
      return SourceOf(first) == Source::kPng ? PngRecipe(first) : std::nullopt;
    }
    case Source::kPng:
      return PngRecipe(path);
    case Source::kJpeg:
    case Source::kPpm:
      return std::nullopt;
    case Source::kWebp:
      return WebpRecipe(path);
    case Source::kGif:
      return GifRecipe(ReadFile(path, kMaxMemoryFile));
    case Source::kY4m:
      return SidecarRecipe(path);
    case Source::kVideo:
      return Nonempty(VideoTag(path, kRecipeKey));
  }
  return std::nullopt;
}

}  // namespace mvd
