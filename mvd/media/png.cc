// PNG by libpng. Its errors jump; every function that calls setjmp holds nothing with a destructor, and all
// state lives in a struct of the caller.
#include <png.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string_view>

#include "mvd/base/error.h"
#include "mvd/media/codecs.h"
#include "mvd/media/exif.h"

namespace mvd {
namespace {

void OnError(png_structp png, png_const_charp message) {
  std::snprintf(static_cast<char*>(png_get_error_ptr(png)), 160, "%s", message);
  png_longjmp(png, 1);
}
void OnWarning(png_structp, png_const_charp) {}

struct PngReader {
  std::span<const uint8_t> rest;
  char message[160] = "out of memory";
  png_structp png = nullptr;
  png_infop info = nullptr;

  explicit PngReader(std::span<const uint8_t> bytes) : rest(bytes) {
    png = png_create_read_struct(PNG_LIBPNG_VER_STRING, message, OnError, OnWarning);
    if (png) info = png_create_info_struct(png);
  }
  ~PngReader() { png_destroy_read_struct(&png, &info, nullptr); }
  PngReader(const PngReader&) = delete;
  PngReader& operator=(const PngReader&) = delete;
};

void ReadBytes(png_structp png, png_bytep to, size_t count) {
  auto& rest = *static_cast<std::span<const uint8_t>*>(png_get_io_ptr(png));
  if (rest.size() < count) png_error(png, "the file is truncated");
  std::memcpy(to, rest.data(), count);
  rest = rest.subspan(count);
}

bool ReadHeader(PngReader& r) {
  if (!r.info || setjmp(png_jmpbuf(r.png))) return false;
  png_set_read_fn(r.png, &r.rest, ReadBytes);
  png_set_user_limits(r.png, png_uint_32(kMaxPixels), png_uint_32(kMaxPixels));
  png_read_info(r.png, r.info);
  return true;
}

// Everything becomes 8-bit RGB as PIL's convert("RGB") does it: no gamma, alpha dropped, high byte of 16.
bool SetRgb(PngReader& r) {
  if (setjmp(png_jmpbuf(r.png))) return false;
  png_set_strip_16(r.png);
  const int colour = png_get_color_type(r.png, r.info);
  if (colour == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(r.png);
  if (colour == PNG_COLOR_TYPE_GRAY) png_set_expand_gray_1_2_4_to_8(r.png);
  if (colour == PNG_COLOR_TYPE_GRAY || colour == PNG_COLOR_TYPE_GRAY_ALPHA) png_set_gray_to_rgb(r.png);
  png_set_strip_alpha(r.png);
  png_set_interlace_handling(r.png);
  png_read_update_info(r.png, r.info);
  return true;
}

bool ReadRows(PngReader& r, png_bytep* rows) {
  if (setjmp(png_jmpbuf(r.png))) return false;
  png_read_image(r.png, rows);
  png_read_end(r.png, r.info);
  return true;
}

[[noreturn]] void ThrowPng(const PngReader& r, const std::string& name) {
  ThrowBadInput(name, "damaged PNG picture: ", r.message);
}

struct PngWriter {
  std::string out;
  char message[160] = "out of memory";
  png_structp png = nullptr;
  png_infop info = nullptr;

  PngWriter() {
    png = png_create_write_struct(PNG_LIBPNG_VER_STRING, message, OnError, OnWarning);
    if (png) info = png_create_info_struct(png);
  }
  ~PngWriter() { png_destroy_write_struct(&png, &info); }
  PngWriter(const PngWriter&) = delete;
  PngWriter& operator=(const PngWriter&) = delete;
};

// No exception may cross libpng.
void AppendBytes(png_structp png, png_bytep bytes, size_t count) {
  bool appended = true;
  try {
    static_cast<std::string*>(png_get_io_ptr(png))->append(reinterpret_cast<const char*>(bytes), count);
  } catch (...) {
    appended = false;
  }
  if (!appended) png_error(png, "out of memory");
}
void Flush(png_structp) {}

bool Write(PngWriter& w, const Image& image, png_text* texts, size_t text_count) {
  if (!w.info || setjmp(png_jmpbuf(w.png))) return false;
  png_set_write_fn(w.png, &w.out, AppendBytes, Flush);
  png_set_IHDR(w.png, w.info, png_uint_32(image.width), png_uint_32(image.height), 8, PNG_COLOR_TYPE_RGB,
               PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_BASE, PNG_FILTER_TYPE_BASE);
  if (text_count) png_set_text(w.png, w.info, texts, int(text_count));
  png_write_info(w.png, w.info);
  for (int y = 0; y < image.height; ++y)
    png_write_row(w.png, &image.rgb[size_t(y) * size_t(image.width) * 3]);
  png_write_end(w.png, nullptr);
  return true;
}

std::string Latin1ToUtf8(const char* text) {
  std::string out;
  for (; *text; ++text) {
    const auto c = static_cast<unsigned char>(*text);
    if (c < 0x80) {
      out += char(c);
    } else {
      out += {char(0xc0 | c >> 6), char(0x80 | (c & 0x3f))};
    }
  }
  return out;
}

}  // namespace

namespace {

int OrientationOf(const PngReader& r) {
  png_bytep exif = nullptr;
  png_uint_32 size = 0;
  return png_get_eXIf_1(r.png, r.info, &size, &exif) ? ExifOrientation({exif, size}) : 1;
}

}  // namespace

ImagePlan PlanPng(std::span<const uint8_t> bytes, const std::string& name, ImageSize) {
  PngReader r(bytes);
  if (!ReadHeader(r)) ThrowPng(r, name);
  const auto width = png_get_image_width(r.png, r.info), height = png_get_image_height(r.png, r.info);
  CheckImageSize(width, height, name);
  // The orientation may stand behind the pixels too: a copy is reckoned with wherever there may be one.
  constexpr std::string_view kChunk = "eXIf";
  const bool exif = std::search(bytes.begin(), bytes.end(), kChunk.begin(), kChunk.end()) != bytes.end();
  const int64_t rows = int64_t(height) * int64_t(sizeof(png_bytep)) + int64_t(width) * 64 + (1 << 20);
  return PlanWhole(int(width), int(height), std::max(OrientationOf(r), exif ? 2 : 1), rows);
}

Image DecodePng(std::span<const uint8_t> bytes, const std::string& name, ImageSize) {
  PngReader r(bytes);
  if (!ReadHeader(r)) ThrowPng(r, name);
  Image image = AllocateImage(png_get_image_width(r.png, r.info), png_get_image_height(r.png, r.info), name);
  if (!SetRgb(r)) ThrowPng(r, name);
  MVD_CHECK_EQ(png_get_rowbytes(r.png, r.info), size_t(image.width) * 3);
  std::vector<png_bytep> rows;
  for (int y = 0; y < image.height; ++y) rows.push_back(&image.rgb[size_t(y) * size_t(image.width) * 3]);
  if (!ReadRows(r, rows.data())) ThrowPng(r, name);
  return Orient(std::move(image), OrientationOf(r));
}

TextMap PngText(std::span<const uint8_t> bytes, const std::string& name) {
  PngReader r(bytes);
  if (!ReadHeader(r)) ThrowPng(r, name);
  png_textp texts = nullptr;
  const int count = png_get_text(r.png, r.info, &texts, nullptr);
  TextMap map;
  for (int i = 0; i < count; ++i) {
    const bool utf8 = texts[i].compression > PNG_TEXT_COMPRESSION_zTXt;
    if (texts[i].text) map[texts[i].key] = utf8 ? texts[i].text : Latin1ToUtf8(texts[i].text);
  }
  return map;
}

std::string EncodePng(const Image& image, const TextMap& text) {
  MVD_CHECK(image.width > 0 && image.height > 0);
  MVD_CHECK_EQ(image.rgb.size(), size_t(image.width) * size_t(image.height) * 3);
  std::vector<png_text> texts;
  for (const auto& [key, value] : text) {
    MVD_CHECK(!key.empty() && key.size() <= 79, "PNG keyword '", key, "'");
    bool ascii = true;
    for (const char c : value) ascii = ascii && static_cast<unsigned char>(c) < 0x80;
    png_text row{};
    // iTXt is the only chunk for UTF-8; tEXt is what every reader knows.
    row.compression = ascii ? PNG_TEXT_COMPRESSION_NONE : PNG_ITXT_COMPRESSION_NONE;
    row.key = const_cast<char*>(key.c_str());
    row.text = const_cast<char*>(value.c_str());
    row.text_length = value.size();
    row.itxt_length = ascii ? 0 : value.size();
    texts.push_back(row);
  }
  PngWriter w;
  MVD_CHECK(Write(w, image, texts.data(), texts.size()), w.message);
  return std::move(w.out);
}

}  // namespace mvd
