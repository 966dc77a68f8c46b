// Clips as GIF: one palette for the whole clip by libavfilter, the recipe in a comment extension.
#include <algorithm>
#include <cmath>

#include "mvd/base/atomic_file.h"
#include "mvd/base/error.h"
#include "mvd/media/codecs.h"
#include "mvd/media/filter_graph.h"
#include "mvd/media/video_file.h"

namespace mvd {
namespace {

using namespace std::string_view_literals;

constexpr AVRational kGifTick{1, 100};  // GIF counts hundredths of a second
constexpr double kMaxGifFps = 50;       // browsers slow a delay of 1 tick down to 10
constexpr auto kCommentHead = "\x21\xfe"sv;
constexpr auto kRecipeHead = "mobilevd_recipe="sv;
constexpr size_t kMaxGifBytes = size_t(1) << 31;

constexpr char kPalette[] = "cannot be written: this FFmpeg cannot make a palette";
constexpr char kPaletteFilters[] =
    "split[a][b];[a]palettegen=stats_mode=full[p];[b][p]paletteuse=dither=sierra2_4a";

// GIF data comes in blocks of at most 255 bytes, ended by an empty one.
std::string CommentExtension(std::string_view text) {
  std::string out(kCommentHead);
  for (; !text.empty(); text.remove_prefix(std::min<size_t>(255, text.size()))) {
    out += char(std::min<size_t>(255, text.size()));
    out += text.substr(0, 255);
  }
  return out + '\0';
}

// Walks GIF blocks; every step is checked against the end.
struct GifReader {
  std::string_view rest;

  std::optional<uint8_t> Byte() {
    if (rest.empty()) return std::nullopt;
    const auto byte = uint8_t(rest.front());
    rest.remove_prefix(1);
    return byte;
  }
  bool Skip(size_t count) {
    if (rest.size() < count) return false;
    rest.remove_prefix(count);
    return true;
  }
  bool SkipPalette(uint8_t flags) { return !(flags & 0x80) || Skip(size_t(3) << ((flags & 7) + 1)); }
  // The joined data blocks, or nothing where the file ends in them.
  std::optional<std::string> Data() {
    std::string data;
    for (;;) {
      const auto count = Byte();
      if (!count || rest.size() < *count) return std::nullopt;
      if (*count == 0) return data;
      data += rest.substr(0, *count);
      rest.remove_prefix(*count);
    }
  }
};

}  // namespace

std::optional<std::string> GifRecipe(std::string_view bytes) {
  GifReader gif{bytes};
  if (bytes.size() < 13 || !gif.Skip(13) || !gif.SkipPalette(uint8_t(bytes[10]))) return std::nullopt;
  for (;;) {
    const auto block = gif.Byte();
    if (block == 0x21) {
      const auto label = gif.Byte();
      const auto data = gif.Data();
      if (!label || !data) return std::nullopt;
      if (label == 0xfe && data->starts_with(kRecipeHead)) return data->substr(kRecipeHead.size());
    } else if (block == 0x2c) {
      if (gif.rest.size() < 10) return std::nullopt;
      const auto flags = uint8_t(gif.rest[8]);
      if (!gif.Skip(9) || !gif.SkipPalette(flags) || !gif.Skip(1) || !gif.Data()) return std::nullopt;
    } else {
      return std::nullopt;  // the trailer, or rubbish
    }
  }
}

// Delays are whole hundredths of a second: 7 fps becomes 14, 14, 15, ... so that the mean is right.
void WriteGif(const Clip& clip, const std::string& recipe, const Path& file, const std::string& name) {
  SilenceLibav();
  const double ticks = 100 / std::min(clip.fps, kMaxGifFps);
  FilterGraph palette({clip.width, clip.height, AV_PIX_FMT_RGB24, kGifTick}, kPaletteFilters, name, kPalette);
  for (size_t i = 0; i <= clip.frames.size(); ++i) {
    const bool end = i == clip.frames.size();
    FramePtr frame = end ? nullptr : ToAvFrame(clip.frames[i], clip.width, clip.height);
    if (!end) frame->pts = std::llround(double(i) * ticks);
    palette.Push(frame.get());
  }
  const VideoSettings settings{"gif", "gif", AV_PIX_FMT_PAL8, {}, {{"loop", "0"}}};
  const AVRational fps = av_d2q(100 / ticks, 100'000);
  VideoFile gif(settings, clip.width, clip.height, kGifTick, fps, "", file, name);
  const FramePtr frame(CheckAlloc(av_frame_alloc()));
  while (palette.Pull(*frame)) {
    gif.Add(*frame);
    av_frame_unref(frame.get());
  }
  gif.Finish();
  if (recipe.empty()) return;
  std::string bytes = ReadFile(file, kMaxGifBytes);
  MVD_CHECK(!bytes.empty() && bytes.back() == 0x3b, "a GIF ends with its trailer");
  bytes.insert(bytes.size() - 1, CommentExtension(std::string(kRecipeHead) + recipe));
  WriteBytes(file, bytes, name);
}

}  // namespace mvd
