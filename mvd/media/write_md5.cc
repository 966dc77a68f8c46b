// A clip as text, for tests: the MD5 of each frame, by libavutil.
#include <cstdint>  // FFmpeg's headers need UINT64_C

extern "C" {
#include <libavutil/md5.h>
}

#include "mvd/base/error.h"
#include "mvd/media/codecs.h"

namespace mvd {
namespace {

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

// One line for the size, one for each frame: `000000 <md5 of its RGB bytes>`. Two clips are the same if and
// only if the texts are.
void WriteMd5(const Clip& clip, const std::string&, const Path& file, const std::string& name) {
  std::string text = StrCat(clip.width, "x", clip.height, " frames ", clip.frames.size(), "\n");
  for (size_t i = 0; i < clip.frames.size(); ++i)
    text += FrameName(i) + " " + HexMd5(clip.frames[i].rgb.data(), clip.frames[i].rgb.size()) + "\n";
  WriteBytes(file, text, name);
}

}  // namespace mvd
