#include "mvd/media/exif.h"

#include <algorithm>
#include <string_view>

namespace mvd {
namespace {

// Unsigned integers of a TIFF block; `ok` falls once a read leaves it.
struct TiffReader {
  std::span<const uint8_t> bytes;
  bool big_endian = false;
  bool ok = true;

  uint32_t Read(size_t at, int count) {
    if (at > bytes.size() || bytes.size() - at < size_t(count)) {
      ok = false;
      return 0;
    }
    uint32_t value = 0;
    for (int i = 0; i < count; ++i) value = value << 8 | bytes[at + size_t(big_endian ? i : count - 1 - i)];
    return value;
  }
};

constexpr uint32_t kOrientationTag = 0x0112;
constexpr uint32_t kShort = 3;

}  // namespace

int ExifOrientation(std::span<const uint8_t> exif) {
  using namespace std::string_view_literals;
  const std::string_view text(reinterpret_cast<const char*>(exif.data()), exif.size());
  if (text.starts_with("Exif\0\0"sv)) exif = exif.subspan(6);
  TiffReader tiff{exif};
  if (exif.size() < 8 || exif[0] != exif[1] || (exif[0] != 'I' && exif[0] != 'M')) return 1;
  tiff.big_endian = exif[0] == 'M';
  if (tiff.Read(2, 2) != 42) return 1;
  const size_t folder = tiff.Read(4, 4);
  const uint32_t entries = tiff.Read(folder, 2);
  for (uint32_t i = 0; i < entries && tiff.ok; ++i) {
    const size_t entry = folder + 2 + size_t(12) * i;
    if (tiff.Read(entry, 2) != kOrientationTag) continue;
    const bool one_short = tiff.Read(entry + 2, 2) == kShort && tiff.Read(entry + 4, 4) == 1;
    const uint32_t value = tiff.Read(entry + 8, 2);
    return tiff.ok && one_short && value >= 1 && value <= 8 ? int(value) : 1;
  }
  return 1;
}

Image Orient(Image image, int orientation) {
  if (orientation <= 1 || orientation > 8) return image;
  const int w = image.width;
  const int h = image.height;
  const bool swapped = orientation >= 5;
  Image out{swapped ? h : w, swapped ? w : h, std::vector<uint8_t>(image.rgb.size())};
  uint8_t* to = out.rgb.data();
  for (int y = 0; y < out.height; ++y) {
    for (int x = 0; x < out.width; ++x, to += 3) {
      // Which stored pixel is seen at (x, y).
      const int along_w = swapped ? y : x;
      const int along_h = swapped ? x : y;
      const bool from_right = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
      const bool from_bottom = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
      const int source_x = from_right ? w - 1 - along_w : along_w;
      const int source_y = from_bottom ? h - 1 - along_h : along_h;
      std::copy_n(&image.rgb[(size_t(source_y) * size_t(w) + size_t(source_x)) * 3], 3, to);
    }
  }
  return out;
}

}  // namespace mvd
