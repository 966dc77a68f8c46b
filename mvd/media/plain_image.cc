#include "mvd/media/plain_image.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>

#include "mvd/base/error.h"
#include "mvd/media/clip_files.h"

namespace mvd {
namespace {

using namespace std::string_view_literals;

constexpr auto kPngHead = "\x89PNG\r\n\x1a\n"sv;
constexpr size_t kMaxStored = 65535;  // bytes of one stored block

// Netpbm's header: "P6", then numbers behind white space and comments that end with their line.
struct PpmHeader {
  std::string_view rest;

  bool SkipSpace() {
    const size_t before = rest.size();
    while (!rest.empty() && (std::isspace(uint8_t(rest[0])) || rest[0] == '#')) {
      const size_t skip = rest[0] == '#' ? std::min(rest.find('\n'), rest.size()) : 1;
      rest.remove_prefix(skip);
    }
    return rest.size() < before;
  }
  // -1 where there is none of at most nine digits.
  int64_t Number() {
    if (!SkipSpace()) return -1;
    size_t digits = 0;
    int64_t value = 0;
    for (; digits < rest.size() && std::isdigit(uint8_t(rest[digits])); ++digits) {
      if (digits == 9) return -1;
      value = value * 10 + (rest[digits] - '0');
    }
    rest.remove_prefix(digits);
    return digits > 0 ? value : -1;
  }
};

// CRC-32 of PNG's annex D, one byte at a time.
constexpr std::array<uint32_t, 256> kCrcTable = [] {
  std::array<uint32_t, 256> table{};
  for (uint32_t n = 0; n < 256; ++n) {
    table[n] = n;
    for (int k = 0; k < 8; ++k) table[n] = table[n] & 1 ? 0xedb88320u ^ (table[n] >> 1) : table[n] >> 1;
  }
  return table;
}();

uint32_t Crc32(std::string_view bytes) {
  uint32_t crc = ~0u;
  for (const char c : bytes) crc = kCrcTable[(crc ^ uint8_t(c)) & 255] ^ (crc >> 8);
  return ~crc;
}

// RFC 1950, 8.2. 5552 bytes are the most whose sums stay below 2^32.
uint32_t Adler32(std::string_view bytes) {
  constexpr uint32_t kBase = 65521;
  uint32_t a = 1, b = 0;
  while (!bytes.empty()) {
    const std::string_view part = bytes.substr(0, 5552);
    for (const char c : part) b += a += uint8_t(c);
    a %= kBase;
    b %= kBase;
    bytes.remove_prefix(part.size());
  }
  return b << 16 | a;
}

std::string BigEndian(uint32_t value) {
  return {char(value >> 24), char(value >> 16 & 255), char(value >> 8 & 255), char(value & 255)};
}

void AppendChunk(std::string& png, std::string_view kind, std::string_view data) {
  png += BigEndian(uint32_t(data.size()));
  const size_t begin = png.size();
  png += kind;
  png += data;
  png += BigEndian(Crc32(std::string_view(png).substr(begin)));
}

// zlib's format around stored blocks.
std::string Store(std::string_view bytes) {
  std::string out = "\x78\x01";
  for (size_t at = 0; at < bytes.size(); at += kMaxStored) {
    const std::string_view part = bytes.substr(at, kMaxStored);
    const auto size = uint16_t(part.size());
    const bool last = at + part.size() == bytes.size();
    out += {char(last), char(size & 255), char(size >> 8), char(~size & 255), char(uint16_t(~size) >> 8)};
    out += part;
  }
  return out + BigEndian(Adler32(bytes));
}

}  // namespace

namespace {

struct Ppm {
  int64_t width, height;
  std::string_view pixels;
};

Ppm ReadHeader(std::span<const uint8_t> bytes, const std::string& name) {
  PpmHeader header{{reinterpret_cast<const char*>(bytes.data()), bytes.size()}};
  MVD_CHECK(header.rest.starts_with("P6"));
  header.rest.remove_prefix(2);
  const int64_t width = header.Number(), height = header.Number(), largest = header.Number();
  if (width < 0 || height < 0 || largest < 0 || header.rest.empty() || !std::isspace(uint8_t(header.rest[0])))
    ThrowBadInput(name, "damaged PPM picture: its header is invalid");
  header.rest.remove_prefix(1);  // one white space alone: the next byte may look like one
  if (largest != 255) ThrowBadInput(name, "PPM picture with values to ", largest, ", expected 255");
  // Before anything is allocated: the file holds what its header claims.
  if (width > 0 && int64_t(header.rest.size()) / 3 / width < height)
    ThrowBadInput(name, "damaged PPM picture: the file is truncated");
  CheckImageSize(uint64_t(width), uint64_t(height), name);
  return {width, height, header.rest};
}

}  // namespace

Image DecodePpm(std::span<const uint8_t> bytes, const std::string& name, ImageSize) {
  const Ppm ppm = ReadHeader(bytes, name);
  Image image = AllocateImage(uint64_t(ppm.width), uint64_t(ppm.height), name);
  std::copy_n(ppm.pixels.begin(), image.rgb.size(), image.rgb.begin());
  return image;
}

ImagePlan PlanPpm(std::span<const uint8_t> bytes, const std::string& name, ImageSize) {
  const Ppm ppm = ReadHeader(bytes, name);
  return PlanWhole(int(ppm.width), int(ppm.height), 1, 0);
}

std::string EncodePlainPng(const Image& image, const TextMap& text) {
  MVD_CHECK(image.width > 0 && image.height > 0);
  const size_t stride = size_t(image.width) * 3;
  MVD_CHECK_EQ(image.rgb.size(), stride * size_t(image.height));
  std::string png(kPngHead);
  // 8 bits of RGB; deflate, the one filter method, not interlaced.
  AppendChunk(
      png, "IHDR",
      BigEndian(uint32_t(image.width)) + BigEndian(uint32_t(image.height)) + std::string("\x08\x02\0\0\0"sv));
  for (const auto& [key, value] : text) {
    MVD_CHECK(!key.empty() && key.size() <= 79, "PNG keyword '", key, "'");
    const bool ascii = std::ranges::all_of(value, [](char c) { return uint8_t(c) < 0x80; });
    // iTXt is the only chunk for UTF-8: not compressed, no language, no translated keyword.
    const std::string_view between = ascii ? "\0"sv : "\0\0\0\0\0"sv;
    AppendChunk(png, ascii ? "tEXt" : "iTXt", key + std::string(between) + value);
  }
  std::string rows;
  rows.reserve((stride + 1) * size_t(image.height));
  for (int y = 0; y < image.height; ++y) {
    rows += '\0';  // no filter
    rows.append(reinterpret_cast<const char*>(&image.rgb[size_t(y) * stride]), stride);
  }
  AppendChunk(png, "IDAT", Store(rows));
  AppendChunk(png, "IEND", "");
  return png;
}

ImageSize PngSize(std::string_view png) {
  constexpr size_t kWidth = 16, kHeight = 20;  // behind the signature and IHDR's length and name
  MVD_CHECK(png.starts_with(kPngHead) && png.size() >= kHeight + 4);
  const auto number = [png](size_t at) {
    int value = 0;
    for (size_t i = at; i < at + 4; ++i) value = value << 8 | uint8_t(png[i]);
    return value;
  };
  return {number(kWidth), number(kHeight)};
}

}  // namespace mvd
