#include "mvd/media/container_end.h"

#include <algorithm>
#include <fstream>
#include <string>

namespace mvd {
namespace {

using namespace std::string_view_literals;

constexpr size_t kHeadBytes = 4096;

std::string ReadAt(const std::filesystem::path& path, int64_t offset, size_t count) {
  std::string bytes(count, '\0');
  std::ifstream in(path, std::ios::binary);
  in.seekg(offset);
  in.read(bytes.data(), std::streamsize(count));
  bytes.resize(size_t(std::max<std::streamsize>(0, in.gcount())));
  return bytes;
}

// Writers may pad with zeros behind the trailer.
bool GifEndsEarly(const std::filesystem::path& path, int64_t size) {
  const int64_t tail = std::min<int64_t>(size, kHeadBytes);
  const std::string end = ReadAt(path, size - tail, size_t(tail));
  const size_t last = end.find_last_not_of('\0');
  return last == end.npos || end[last] != '\x3b';
}

// An EBML size: the leading zeros of its first byte count the bytes that follow. -1 for "unknown" (all ones,
// a live stream) or where `text` ends; `used` is its length.
int64_t EbmlSize(std::string_view text, size_t& used) {
  if (text.empty() || text[0] == '\0') return -1;
  const auto first = uint8_t(text[0]);
  used = 1;
  while (!(first & (0x80 >> (used - 1)))) ++used;
  if (text.size() < used) return -1;
  uint64_t value = first & ((0x80u >> (used - 1)) - 1);
  for (size_t i = 1; i < used; ++i) value = value << 8 | uint8_t(text[i]);
  const uint64_t unknown = (uint64_t(1) << (7 * used)) - 1;
  return value == unknown ? -1 : int64_t(value);
}

bool WebmEndsEarly(std::string_view head, int64_t size) {
  size_t used = 0;
  const int64_t header = EbmlSize(head.substr(4), used);
  const int64_t segment = header < 0 ? -1 : 4 + int64_t(used) + header;
  if (segment < 0 || segment + 12 > int64_t(head.size())) return false;
  const std::string_view rest = head.substr(size_t(segment));
  if (!rest.starts_with("\x18\x53\x80\x67"sv)) return false;
  const int64_t length = EbmlSize(rest.substr(4), used);
  return length > size - segment - 4 - int64_t(used);
}

bool AviEndsEarly(std::string_view head, int64_t size) {
  int64_t length = 0;
  for (size_t i = 8; i-- > 4;) length = length << 8 | uint8_t(head[i]);
  return length + 8 > size;
}

bool Y4mEndsEarly(std::string_view head, int64_t size, int64_t frame_bytes) {
  constexpr auto kFrame = "FRAME\n"sv;
  const size_t line = head.find('\n');
  // Frame headers with parameters vary in length: not judged.
  if (line == head.npos || !head.substr(line + 1).starts_with(kFrame) || frame_bytes <= 0) return false;
  return (size - int64_t(line) - 1) % (frame_bytes + int64_t(kFrame.size())) != 0;
}

}  // namespace

bool EndsEarly(const std::filesystem::path& path, int64_t frame_bytes) {
  std::error_code code;
  const auto size = int64_t(std::filesystem::file_size(path, code));
  const std::string content = ReadAt(path, 0, kHeadBytes);
  const std::string_view head = content;
  if (code || head.size() < 12) return false;
  if (head.starts_with("GIF8"sv)) return GifEndsEarly(path, size);
  if (head.starts_with("\x1a\x45\xdf\xa3"sv)) return WebmEndsEarly(head, size);
  if (head.starts_with("RIFF"sv) && head.substr(8, 4) == "AVI "sv) return AviEndsEarly(head, size);
  if (head.starts_with("YUV4MPEG2"sv)) return Y4mEndsEarly(head, size, frame_bytes);
  return false;
}

}  // namespace mvd
