#include "mvd/media/clip.h"

#include <algorithm>
#include <cctype>
#include <cmath>

#include "mvd/base/error.h"
#include "mvd/media/codecs.h"

namespace mvd {
namespace fs = std::filesystem;
namespace {

// Every format a clip is written in.
const std::vector<ClipFormat>& Formats() {
  using enum RecipePlace;
  static const std::vector<ClipFormat> formats = {
      {"mp4", {".mp4", ".m4v"}, kInside, "FFmpeg", "H.264, 4:2:0: plays everywhere", WriteMp4},
      {"webm", {".webm"}, kInside, "FFmpeg", "VP9, 4:2:0", WriteWebm},
      {"gif", {".gif"}, kInside, "FFmpeg", "256 colours, at most 50 fps", WriteGif},
      {"webp", {".webp"}, kInside, "libwebp", "animated WebP", WriteAnimatedWebp},
      {"y4m", {".y4m"}, kSidecar, "", "uncompressed 4:4:4, for other tools", WriteY4m},
      {"png", {"/"}, kInside, "", "a folder of 000000.png, ...: lossless", WritePngSequence},
      {"md5", {".md5"}, kNone, "FFmpeg", "text: size, and MD5 of each frame's RGB bytes", WriteMd5},
      {"null", {}, kNone, "", "writes nothing, for timing", WriteNothing},
  };
  return formats;
}

}  // namespace

Clip FramesFromFloat(std::span<const float> thwc, int64_t frames, int64_t height, int64_t width, double fps) {
  MVD_CHECK(frames >= 0 && height > 0 && width > 0 && height * width <= kMaxPixels);
  MVD_CHECK_EQ(int64_t(thwc.size()), frames * height * width * 3);
  Clip clip{int(width), int(height), fps, {}};
  const float* from = thwc.data();
  for (int64_t t = 0; t < frames; ++t) {
    Image image{int(width), int(height), std::vector<uint8_t>(size_t(height * width * 3))};
    for (uint8_t& to : image.rgb) {
      const float value = *from++;
      // The comparison is false for NaN. nearbyint rounds ties to even, as numpy's round does.
      to = value > 0 ? uint8_t(std::nearbyint(std::min(value, 1.0f) * 255.0f)) : uint8_t(0);
    }
    clip.frames.push_back(std::move(image));
  }
  return clip;
}

std::span<const ClipFormat> ClipFormats() { return Formats(); }

std::string ClipFormatNames() {
  std::string names;
  for (const ClipFormat& format : Formats()) {
    if (CanWrite(format)) names += (names.empty() ? "" : ", ") + std::string(format.name);
  }
  return names;
}

bool CanWrite(const ClipFormat& format) { return format.library.empty() || HasCodecs(); }

void CheckCanWrite(const ClipFormat& format) {
  if (CanWrite(format)) return;
  ThrowUsage("format ", format.name, ": this build lacks ", format.library, " and writes ", ClipFormatNames(),
             " alone; configure with -DMVD_MEDIA=ON, which says what to install");
}

const ClipFormat& DefaultClipFormat() { return *std::ranges::find_if(Formats(), CanWrite); }

std::string ExtensionOf(const ClipFormat& format) {
  if (format.extensions.empty() || format.extensions[0] == "/") return "";
  return std::string(format.extensions[0]);
}

const ClipFormat* FindClipFormat(std::string_view path_or_name) {
  std::string text(path_or_name);
  for (char& c : text) c = char(std::tolower(static_cast<unsigned char>(c)));
  for (const ClipFormat& format : Formats()) {
    if (format.name == text) return &format;
  }
  const std::string extension = text.ends_with('/') ? "/" : fs::path(text).extension().string();
  for (const ClipFormat& format : Formats()) {
    if (std::ranges::find(format.extensions, extension) != format.extensions.end()) return &format;
  }
  return nullptr;
}

int64_t EncoderBytes(const ClipFormat& format, int64_t width, int64_t height, int64_t frames) {
  if (format.library.empty()) return 8 * width * height + (4 << 20);
  // A frame with the borders that motion may point to. x264 and VP9 look ahead by up to 60 frames, each held
  // in several forms, and keep up to 16 to predict from.
  const int64_t frame = (width + 320) * (height + 320);
  return 5 * frame * (std::min<int64_t>(frames, 60) + 16) + (32 << 20);
}

void AppendFrame(Clip& clip, Image frame, const std::string& name) {
  if (clip.frames.empty()) {
    clip.width = frame.width;
    clip.height = frame.height;
  }
  const auto count = int64_t(clip.frames.size());
  if (frame.width != clip.width || frame.height != clip.height) {
    ThrowBadInput(name, "frame ", count, " has ", frame.width, "x", frame.height, " pixels, the first has ",
                  clip.width, "x", clip.height);
  }
  if (count >= kMaxClipFrames || (count + 1) * int64_t(frame.rgb.size()) > kMaxClipBytes) {
    ThrowBadInput(name, "holds more than ", kMaxClipFrames, " frames or ", kMaxClipBytes >> 30,
                  " GiB of pixels; read fewer frames");
  }
  clip.frames.push_back(std::move(frame));
}

}  // namespace mvd
