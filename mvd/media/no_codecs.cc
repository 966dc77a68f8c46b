// Stands for everything in codecs.h in a build without FFmpeg, libpng, libjpeg and libwebp.
#include "mvd/base/error.h"
#include "mvd/media/codecs.h"
#include "mvd/media/plain_image.h"

namespace mvd {
namespace {

[[noreturn]] void Refuse(const std::string& name, std::string_view library) {
  ThrowUsage(name, ": this build lacks ", library,
             " and reads PPM pictures alone: configure with -DMVD_MEDIA=ON, which says what to install");
}

}  // namespace

bool HasCodecs() { return false; }
std::string EncodePng(const Image& image, const TextMap& text) { return EncodePlainPng(image, text); }

Image DecodePng(std::span<const uint8_t>, const std::string& name, ImageSize) { Refuse(name, "libpng"); }
ImagePlan PlanPng(std::span<const uint8_t>, const std::string& name, ImageSize) { Refuse(name, "libpng"); }
Image DecodeJpeg(std::span<const uint8_t>, const std::string& name, ImageSize) { Refuse(name, "libjpeg"); }
ImagePlan PlanJpeg(std::span<const uint8_t>, const std::string& name, ImageSize) { Refuse(name, "libjpeg"); }
Image DecodeWebp(std::span<const uint8_t>, const std::string& name, ImageSize) { Refuse(name, "libwebp"); }
ImagePlan PlanWebp(std::span<const uint8_t>, const std::string& name, ImageSize) { Refuse(name, "libwebp"); }
TextMap PngText(std::span<const uint8_t>, const std::string& name) { Refuse(name, "libpng"); }
std::optional<std::string> WebpXmp(std::span<const uint8_t>) {
  Refuse("the recipe of a WebP file", "libwebp");
}
std::optional<std::string> GifRecipe(std::string_view) { Refuse("the recipe of a GIF file", "FFmpeg"); }
std::optional<std::string> XmpRecipe(std::string_view) { Refuse("the recipe of a WebP file", "libwebp"); }
Clip ReadVideo(const Path& path, int64_t) { Refuse(path.string(), "FFmpeg"); }
ClipInfo ProbeVideo(const Path& path) { Refuse(path.string(), "FFmpeg"); }
std::string VideoTag(const Path& path, const char*) { Refuse(path.string(), "FFmpeg"); }
Clip ReadWebpClip(std::string_view, int64_t, const std::string& name) { Refuse(name, "libwebp"); }
ClipInfo ProbeWebp(std::string_view, const std::string& name) { Refuse(name, "libwebp"); }

// For the table's addresses: WriteClip has refused already.
void WriteMp4(const Clip&, const std::string&, const Path&, const std::string& name) {
  Refuse(name, "FFmpeg");
}
void WriteWebm(const Clip&, const std::string&, const Path&, const std::string& name) {
  Refuse(name, "FFmpeg");
}
void WriteGif(const Clip&, const std::string&, const Path&, const std::string& name) {
  Refuse(name, "FFmpeg");
}
void WriteMd5(const Clip&, const std::string&, const Path&, const std::string& name) {
  Refuse(name, "FFmpeg");
}
void WriteAnimatedWebp(const Clip&, const std::string&, const Path&, const std::string& name) {
  Refuse(name, "libwebp");
}

}  // namespace mvd
