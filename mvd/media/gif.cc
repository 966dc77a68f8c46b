// Clips as GIF: one palette for the whole clip by libavfilter, the recipe in a comment extension.
#include <cstdint>  // FFmpeg's headers need UINT64_C

extern "C" {
#include <libavfilter/avfilter.h>
#include <libavfilter/buffersink.h>
#include <libavfilter/buffersrc.h>
}

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "mvd/base/atomic_file.h"
#include "mvd/base/error.h"
#include "mvd/media/codecs.h"
#include "mvd/media/video_file.h"

namespace mvd {
namespace {

using namespace std::string_view_literals;

constexpr AVRational kGifTick{1, 100};  // GIF counts hundredths of a second
constexpr double kMaxGifFps = 50;       // browsers slow a delay of 1 tick down to 10
constexpr auto kCommentHead = "\x21\xfe"sv;
constexpr auto kRecipeHead = "mobilevd_recipe="sv;
constexpr size_t kMaxGifBytes = size_t(1) << 31;

using GraphPtr = std::unique_ptr<AVFilterGraph, AvFree<avfilter_graph_free>>;

struct PaletteGraph {
  GraphPtr graph;
  AVFilterContext* source = nullptr;
  AVFilterContext* sink = nullptr;
};

PaletteGraph MakeGraph(int width, int height, const std::string& name) {
  PaletteGraph g{GraphPtr(CheckAlloc(avfilter_graph_alloc()))};
  g.graph->nb_threads = 1;
  char text[320];
  std::snprintf(text, sizeof text,
                "buffer@in=video_size=%dx%d:pix_fmt=rgb24:time_base=1/100,split[a][b];"
                "[a]palettegen=stats_mode=full[p];[b][p]paletteuse=dither=sierra2_4a,buffersink@out",
                width, height);
  AVFilterInOut* inputs = nullptr;
  AVFilterInOut* outputs = nullptr;
  const int code = avfilter_graph_parse2(g.graph.get(), text, &inputs, &outputs);
  avfilter_inout_free(&inputs);
  avfilter_inout_free(&outputs);
  CheckAv(code, name, "this FFmpeg cannot make a palette");
  CheckAv(avfilter_graph_config(g.graph.get(), nullptr), name, "this FFmpeg cannot make a palette");
  g.source = avfilter_graph_get_filter(g.graph.get(), "buffer@in");
  g.sink = avfilter_graph_get_filter(g.graph.get(), "buffersink@out");
  MVD_CHECK(g.source && g.sink);
  return g;
}

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
  PaletteGraph palette = MakeGraph(clip.width, clip.height, name);
  for (size_t i = 0; i <= clip.frames.size(); ++i) {
    const bool end = i == clip.frames.size();
    FramePtr frame = end ? nullptr : ToAvFrame(clip.frames[i], clip.width, clip.height);
    if (!end) frame->pts = std::llround(double(i) * ticks);
    CheckAv(av_buffersrc_add_frame(palette.source, frame.get()), name, "cannot make a palette");
  }
  const VideoSettings settings{"gif", "gif", AV_PIX_FMT_PAL8, {}, {{"loop", "0"}}};
  const AVRational fps = av_d2q(100 / ticks, 100'000);
  VideoFile gif(settings, clip.width, clip.height, kGifTick, fps, "", file, name);
  const FramePtr frame(CheckAlloc(av_frame_alloc()));
  for (;;) {
    const int code = av_buffersink_get_frame(palette.sink, frame.get());
    if (code == AVERROR_EOF) break;
    CheckAv(code, name, "cannot make a palette");
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
