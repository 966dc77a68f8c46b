// The clip formats without a video codec: PNG sequence, y4m, and md5 and null for tests.
#include <cstdint>  // FFmpeg's headers need UINT64_C

extern "C" {
#include <libavutil/md5.h>
}

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>

#include "mvd/base/error.h"
#include "mvd/media/clip_writers.h"
#include "mvd/media/libav.h"

namespace mvd {
namespace {

std::string FrameName(size_t i) {
  char text[32];
  std::snprintf(text, sizeof text, "%06zu", i);
  return text;
}

std::string HexMd5(const uint8_t* data, size_t size) {
  uint8_t digest[16];
  av_md5_sum(digest, data, size);
  std::string out;
  for (const uint8_t byte : digest) {
    out += "0123456789abcdef"[byte >> 4];
    out += "0123456789abcdef"[byte & 15];
  }
  return out;
}

}  // namespace

void WriteBytes(const Path& file, std::string_view bytes, const std::string& name) {
  std::ofstream out(file, std::ios::binary);
  out.write(bytes.data(), std::streamsize(bytes.size()));
  out.flush();
  if (!out) ThrowBadInput(name, "cannot be written: ", std::strerror(errno));
}

// A folder of 000000.png, 000001.png, ...; the first carries the recipe.
void WritePngSequence(const Clip& clip, const std::string& recipe, const Path& file,
                      const std::string& name) {
  std::error_code code;
  std::filesystem::create_directory(file, code);
  if (code) ThrowBadInput(name, "cannot be written: ", code.message());
  for (size_t i = 0; i < clip.frames.size(); ++i) {
    TextMap text;
    if (i == 0 && !recipe.empty()) text[kRecipeKey] = recipe;
    WriteBytes(file / (FrameName(i) + ".png"), EncodePng(clip.frames[i], text), name);
  }
}

// 4:4:4, so that no colour is lost; BT.601 in studio range, which readers take where nothing says otherwise,
// and y4m has no tag to say so.
void WriteY4m(const Clip& clip, const std::string&, const Path& file, const std::string& name) {
  SilenceLibav();
  const AVRational fps = av_d2q(clip.fps, 100'000);
  std::ofstream out(file, std::ios::binary);
  out << "YUV4MPEG2 W" << clip.width << " H" << clip.height << " F" << fps.num << ":" << fps.den
      << " Ip A1:1 C444\n";
  PixelConverter converter;
  for (const Image& image : clip.frames) {
    const FramePtr rgb = ToAvFrame(image, clip.width, clip.height);
    const FramePtr yuv = converter.FromRgb(*rgb, AV_PIX_FMT_YUV444P, AVCOL_SPC_SMPTE170M);
    out << "FRAME\n";
    for (int plane = 0; plane < 3; ++plane) {
      for (int y = 0; y < clip.height; ++y) {
        const uint8_t* row = yuv->data[plane] + ptrdiff_t(y) * yuv->linesize[plane];
        out.write(reinterpret_cast<const char*>(row), clip.width);
      }
    }
  }
  out.flush();
  if (!out) ThrowBadInput(name, "cannot be written: ", std::strerror(errno));
}

// One line for the size, one for each frame: `000000 <md5 of its RGB bytes>`. Two clips are the same if and
// only if the texts are.
void WriteMd5(const Clip& clip, const std::string&, const Path& file, const std::string& name) {
  std::string text = StrCat(clip.width, "x", clip.height, " frames ", clip.frames.size(), "\n");
  for (size_t i = 0; i < clip.frames.size(); ++i)
    text += FrameName(i) + " " + HexMd5(clip.frames[i].rgb.data(), clip.frames[i].rgb.size()) + "\n";
  WriteBytes(file, text, name);
}

void WriteNothing(const Clip&, const std::string&, const Path&, const std::string&) {}

}  // namespace mvd
