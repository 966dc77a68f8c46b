#include "mvd/media/image.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "mvd/base/atomic_file.h"
#include "mvd/base/error.h"
#include "mvd/base/paths.h"
#include "mvd/media/codecs.h"
#include "mvd/media/plain_image.h"

namespace mvd {
namespace fs = std::filesystem;
namespace {

using namespace std::string_view_literals;

// An uncompressed 16-bit RGBA picture of kMaxPixels; nothing honest is larger.
constexpr size_t kMaxFileBytes = size_t(kMaxPixels) * 8;

std::string_view AsText(std::span<const uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

bool IsPng(std::string_view head) { return head.starts_with("\x89PNG\r\n\x1a\n"sv); }
bool IsJpeg(std::string_view head) { return head.starts_with("\xff\xd8\xff"sv); }
bool IsWebp(std::string_view head) {
  return head.size() >= 12 && head.starts_with("RIFF"sv) && head.substr(8, 4) == "WEBP"sv;
}
bool IsPpm(std::string_view head) { return head.starts_with("P6"sv); }

// Every kind of picture we read.
struct ImageFormat {
  std::string_view name;
  std::array<std::string_view, 2> extensions;
  bool (*matches)(std::string_view head);
  Image (*decode)(std::span<const uint8_t> bytes, const std::string& name, ImageSize least);
  ImagePlan (*plan)(std::span<const uint8_t> bytes, const std::string& name, ImageSize least);
  bool by_library;
};
constexpr ImageFormat kFormats[] = {
    {"png", {".png", ".png"}, IsPng, DecodePng, PlanPng, true},
    {"jpeg", {".jpg", ".jpeg"}, IsJpeg, DecodeJpeg, PlanJpeg, true},
    {"webp", {".webp", ".webp"}, IsWebp, DecodeWebp, PlanWebp, true},
    {"ppm", {".ppm", ".ppm"}, IsPpm, DecodePpm, PlanPpm, false},
};

const ImageFormat* FormatOf(std::span<const uint8_t> bytes) {
  for (const ImageFormat& format : kFormats) {
    if (format.matches(AsText(bytes))) return &format;
  }
  return nullptr;
}

bool HasImageExtension(const fs::path& path) {
  std::string extension = path.extension().string();
  for (char& c : extension) c = char(std::tolower(static_cast<unsigned char>(c)));
  return std::ranges::any_of(kFormats, [&](const ImageFormat& format) {
    return std::ranges::find(format.extensions, extension) != format.extensions.end();
  });
}

}  // namespace

void CheckImageSize(uint64_t width, uint64_t height, const std::string& name) {
  if (width == 0 || height == 0) ThrowBadInput(name, "the picture is empty: ", width, "x", height, " pixels");
  if (width > uint64_t(kMaxPixels) || height > uint64_t(kMaxPixels) ||
      width * height > uint64_t(kMaxPixels)) {
    ThrowBadInput(name, "the picture is too large: ", width, "x", height, " pixels, at most ", kMaxPixels,
                  " are read");
  }
}

Image AllocateImage(uint64_t width, uint64_t height, const std::string& name) {
  CheckImageSize(width, height, name);
  return {int(width), int(height), std::vector<uint8_t>(width * height * 3)};
}

ImagePlan PlanWhole(int width, int height, int orientation, int64_t more) {
  const bool turned = orientation > 1 && orientation <= 8, swapped = turned && orientation >= 5;
  const ImageSize size = swapped ? ImageSize{height, width} : ImageSize{width, height};
  const int64_t picture = int64_t(width) * height * 3;
  return {size, size, picture + std::max(more, turned ? picture : 0)};
}

std::string_view ImageFormatOf(std::span<const uint8_t> bytes) {
  const ImageFormat* format = FormatOf(bytes);
  return format ? format->name : std::string_view();
}

std::string ForeignPicture(std::string_view head) {
  const auto advise = [](std::string_view name, std::string_view command) {
    return StrCat("is a picture in ", name, " format, which is not read here (", ImageFormatNames(),
                  "); convert it: ", command);
  };
  constexpr std::string_view kFfmpeg = "ffmpeg -i FILE -frames:v 1 photo.png";
  if (head.size() >= 12 && head.substr(4, 4) == "ftyp"sv) {
    const std::string_view brand = head.substr(8, 4);
    for (std::string_view heif : {"heic"sv, "heix"sv, "heim"sv, "heis"sv, "hevc"sv, "mif1"sv, "msf1"sv}) {
      if (brand == heif) return advise("HEIC", "heif-convert FILE photo.jpg");
    }
    if (brand == "avif"sv || brand == "avis"sv) return advise("AVIF", kFfmpeg);
  }
  if (head.starts_with("II*\0"sv) || head.starts_with("MM\0*"sv)) return advise("TIFF", kFfmpeg);
  if (head.starts_with("BM"sv) && head.size() > 30 && head.substr(6, 4) == "\0\0\0\0"sv)
    return advise("BMP", kFfmpeg);
  if (head.starts_with("\0\0\0\x0cJXL "sv) || head.starts_with("\xff\x0a"sv))
    return advise("JPEG XL", kFfmpeg);
  return "";
}

std::string ImageFormatNames() {
  std::string names;
  for (const ImageFormat& format : kFormats) {
    if (format.by_library && !HasCodecs()) continue;
    names += (names.empty() ? "" : ", ") + std::string(format.name);
  }
  return names;
}

namespace {

const ImageFormat& ReadableFormatOf(std::span<const uint8_t> bytes, const std::string& name) {
  const ImageFormat* format = FormatOf(bytes);
  if (bytes.empty()) ThrowBadInput(name, "is empty");
  if (!format) {
    const std::string foreign = ForeignPicture(AsText(bytes));
    ThrowBadInput(name, foreign.empty() ? "is no picture that is read here: " + ImageFormatNames() : foreign);
  }
  return *format;
}

std::span<const uint8_t> AsBytes(std::string_view content) {
  return {reinterpret_cast<const uint8_t*>(content.data()), content.size()};
}

}  // namespace

Image DecodeImage(std::span<const uint8_t> bytes, const std::string& name) {
  return ReadableFormatOf(bytes, name).decode(bytes, name, {});
}

Image ReadImage(const fs::path& path, ImageSize least) {
  const std::string content = ReadFile(path, kMaxFileBytes);
  return ReadableFormatOf(AsBytes(content), path.string()).decode(AsBytes(content), path.string(), least);
}

ImagePlan PlanImage(const fs::path& path, ImageSize least) {
  const std::string content = ReadFile(path, kMaxFileBytes);
  ImagePlan plan =
      ReadableFormatOf(AsBytes(content), path.string()).plan(AsBytes(content), path.string(), least);
  plan.bytes += int64_t(content.size());
  return plan;
}

void WritePng(const fs::path& path, const Image& image, const TextMap& text) {
  WriteFile(path, EncodePng(image, text));
}

std::vector<fs::path> ListImages(const fs::path& folder) {
  std::vector<fs::path> images;
  for (const fs::path& path : ListFolder(folder)) {
    const bool hidden = path.filename().string().starts_with('.');
    if (!hidden && HasImageExtension(path) && IsRegularFile(path)) images.push_back(path);
  }
  return images;
}

std::vector<Image> ReadImages(const fs::path& folder) {
  std::vector<Image> images;
  for (const fs::path& path : ListImages(folder)) images.push_back(ReadImage(path));
  if (images.empty()) ThrowBadInput(folder.string(), "holds no pictures (", ImageFormatNames(), ")");
  return images;
}

}  // namespace mvd
