#include "mvd/media/image.h"

#include <cstdio>
// jpeglib.h needs <cstdio> before it.
#include <jpeglib.h>
#include <png.h>
#include <webp/encode.h>
#include <webp/mux.h>

#include <fstream>

#include "mvd/base/atomic_file.h"
#include "mvd/media/codecs.h"
#include "mvd/media/exif.h"
#include "mvd/media/media_testing.h"
#include "mvd/media/plain_image.h"

namespace mvd {
namespace {

using ImageTest = ScratchTest;

Image Decode(const std::string& bytes) {
  return DecodeImage({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}, "memory");
}

// An EXIF block whose only tag is the orientation.
std::string Exif(int orientation, bool big_endian) {
  using namespace std::string_literals;
  const auto o = char(orientation);
  if (big_endian) return "MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0"s + o + "\0\0\0\0\0\0"s;
  return "II\x2a\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0"s + o + "\0\0\0\0\0\0\0"s;
}

struct JpegOptions {
  bool progressive = false;
  bool cmyk = false;
  bool adobe = true;
  std::string exif = "";
};

// `pixels` has 3 components a pixel, 4 with cmyk; libjpeg writes them as they are.
std::string EncodeJpeg(int width, int height, std::vector<uint8_t> pixels, const JpegOptions& options = {}) {
  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* out = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &out, &size);
  info.image_width = JDIMENSION(width);
  info.image_height = JDIMENSION(height);
  info.input_components = options.cmyk ? 4 : 3;
  info.in_color_space = options.cmyk ? JCS_CMYK : JCS_RGB;
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, 98, TRUE);
  if (options.progressive) jpeg_simple_progression(&info);
  if (options.cmyk) info.write_Adobe_marker = options.adobe;
  jpeg_start_compress(&info, TRUE);
  if (!options.exif.empty()) {
    const std::string marker = std::string("Exif\0\0", 6) + options.exif;
    jpeg_write_marker(&info, JPEG_APP0 + 1, reinterpret_cast<const JOCTET*>(marker.data()),
                      unsigned(marker.size()));
  }
  for (int y = 0; y < height; ++y) {
    JSAMPROW row = &pixels[size_t(y * width * info.input_components)];
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  std::string bytes(reinterpret_cast<char*>(out), size);
  jpeg_destroy_compress(&info);
  std::free(out);
  return bytes;
}

std::string EncodeWebp(const Image& image, const std::string& exif = "") {
  uint8_t* out = nullptr;
  const size_t size =
      WebPEncodeLosslessRGB(image.rgb.data(), image.width, image.height, image.width * 3, &out);
  WebPData data{out, size};
  WebPMux* mux = WebPMuxCreate(&data, 1);
  WebPFree(out);
  if (!exif.empty()) {
    const WebPData chunk{reinterpret_cast<const uint8_t*>(exif.data()), exif.size()};
    WebPMuxSetChunk(mux, "EXIF", &chunk, 1);
  }
  WebPData whole{};
  WebPMuxAssemble(mux, &whole);
  WebPMuxDelete(mux);
  std::string bytes(reinterpret_cast<const char*>(whole.bytes), whole.size);
  WebPDataClear(&whole);
  return bytes;
}

// A PNG chunk with its length and CRC.
std::string Chunk(const std::string& kind, const std::string& data) {
  std::string out;
  const auto number = [&out](uint32_t n) {
    for (int shift = 24; shift >= 0; shift -= 8) out += char(n >> shift & 255);
  };
  number(uint32_t(data.size()));
  const std::string body = kind + data;
  uint32_t crc = ~0u;
  for (const char c : body) {
    crc ^= uint8_t(c);
    for (int i = 0; i < 8; ++i) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
  }
  out += body;
  number(~crc);
  return out;
}

constexpr size_t kAfterIhdr = 8 + 12 + 13;

// A PNG of any colour type by libpng, rows packed by the caller.
std::string RawPng(int width, int height, int depth, int colour, std::vector<std::vector<uint8_t>> rows,
                   bool transparent = false) {
  std::string out;
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(png);
  png_set_write_fn(
      png, &out,
      [](png_structp p, png_bytep bytes, size_t count) {
        static_cast<std::string*>(png_get_io_ptr(p))->append(reinterpret_cast<char*>(bytes), count);
      },
      [](png_structp) {});
  png_set_IHDR(png, info, png_uint_32(width), png_uint_32(height), depth, colour, PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  const png_color palette[] = {{10, 20, 30}, {40, 50, 60}, {70, 80, 90}, {1, 2, 3}};
  if (colour == PNG_COLOR_TYPE_PALETTE) png_set_PLTE(png, info, palette, 4);
  const png_byte alpha[] = {0, 128};
  png_color_16 key{};
  if (transparent) png_set_tRNS(png, info, alpha, 2, colour == PNG_COLOR_TYPE_PALETTE ? nullptr : &key);
  png_write_info(png, info);
  for (auto& row : rows) png_write_row(png, row.data());
  png_write_end(png, info);
  png_destroy_write_struct(&png, &info);
  return out;
}

using Bytes = std::vector<uint8_t>;

TEST_F(ImageTest, PngComesBackExactly) {
  for (const auto& [w, h] : {std::pair{1, 1}, {17, 5}, {64, 33}}) {
    const Image image = SmoothImage(w, h);
    WritePng(File("a.jpg"), image);  // told by content, not by name
    const Image back = ReadImage(File("a.jpg"));
    EXPECT_EQ(back.width, w);
    EXPECT_EQ(back.height, h);
    EXPECT_EQ(back.rgb, image.rgb);
    EXPECT_EQ(EncodePng(image), EncodePng(image));
  }
}

TEST_F(ImageTest, PngKindsBecomeRgb) {
  EXPECT_EQ(Decode(RawPng(2, 1, 8, PNG_COLOR_TYPE_GRAY, {{7, 200}})).rgb, (Bytes{7, 7, 7, 200, 200, 200}));
  EXPECT_EQ(Decode(RawPng(2, 1, 1, PNG_COLOR_TYPE_GRAY, {{0x40}})).rgb, (Bytes{0, 0, 0, 255, 255, 255}));
  EXPECT_EQ(Decode(RawPng(1, 1, 8, PNG_COLOR_TYPE_GRAY_ALPHA, {{9, 0}})).rgb, (Bytes{9, 9, 9}));
  // Alpha is dropped, not blended.
  EXPECT_EQ(Decode(RawPng(1, 1, 8, PNG_COLOR_TYPE_RGB_ALPHA, {{9, 8, 7, 0}})).rgb, (Bytes{9, 8, 7}));
  // 16 bits: the high byte.
  EXPECT_EQ(Decode(RawPng(1, 1, 16, PNG_COLOR_TYPE_RGB, {{9, 255, 8, 1, 7, 128}})).rgb, (Bytes{9, 8, 7}));
  EXPECT_EQ(Decode(RawPng(1, 1, 16, PNG_COLOR_TYPE_RGB_ALPHA, {{9, 1, 8, 1, 7, 1, 0, 0}})).rgb,
            (Bytes{9, 8, 7}));
  for (bool transparent : {false, true}) {
    EXPECT_EQ(Decode(RawPng(2, 1, 8, PNG_COLOR_TYPE_PALETTE, {{1, 0}}, transparent)).rgb,
              (Bytes{40, 50, 60, 10, 20, 30}));
    EXPECT_EQ(Decode(RawPng(2, 1, 2, PNG_COLOR_TYPE_PALETTE, {{0xb0}}, transparent)).rgb,
              (Bytes{70, 80, 90, 1, 2, 3}));
  }
  EXPECT_EQ(Decode(RawPng(1, 1, 8, PNG_COLOR_TYPE_RGB, {{0, 0, 0}}, true)).rgb, (Bytes{0, 0, 0}));
  EXPECT_EQ(Decode(RawPng(1, 1, 8, PNG_COLOR_TYPE_GRAY, {{5}}, true)).rgb, (Bytes{5, 5, 5}));
}

TEST_F(ImageTest, JpegAndWebp) {
  const Image image = SmoothImage(61, 47);
  for (bool progressive : {false, true}) {
    const Image back = Decode(EncodeJpeg(61, 47, image.rgb, {.progressive = progressive}));
    EXPECT_EQ(back.width, 61);
    EXPECT_EQ(back.height, 47);
    EXPECT_GE(Psnr(image, back), 38);  // quality 98 with 4:2:0 chroma, of smooth waves
  }
  EXPECT_EQ(Decode(EncodeWebp(image)).rgb, image.rgb);
}

TEST_F(ImageTest, CmykJpegBecomesRgb) {
  // Plain CMYK counts ink, Adobe's counts what is left of the paper. JPEG moves flat values by 2 at most.
  Bytes pixels;
  for (int i = 0; i < 64; ++i) pixels.insert(pixels.end(), {255, 128, 0, 51});
  const Image plain = Decode(EncodeJpeg(8, 8, pixels, {.cmyk = true, .adobe = false}));
  const int plain_want[] = {0, 102, 204};  // (255 - ink) * (255 - 51) / 255
  const Image adobe = Decode(EncodeJpeg(8, 8, pixels, {.cmyk = true, .adobe = true}));
  const int adobe_want[] = {51, 26, 0};  // value * 51 / 255
  for (size_t c = 0; c < 3; ++c) {
    EXPECT_NEAR(plain.rgb[c], plain_want[c], 3) << c;
    EXPECT_NEAR(adobe.rgb[c], adobe_want[c], 3) << c;
  }
}

// How a camera in orientation `o` stores `seen`: built from the tag's definition, row 0 and column 0 of what
// is stored lie at these edges of what is seen (TIFF 6.0, p. 36).
Image Store(const Image& seen, int o) {
  const bool swapped = o >= 5;
  const bool rows_from_bottom = o == 3 || o == 4;  // row 0 is the bottom
  const bool rows_from_right = o == 6 || o == 7;   // row 0 is the right side
  const bool columns_from_right = o == 2 || o == 3;
  const bool columns_from_bottom = o == 7 || o == 8;
  Image stored{swapped ? seen.height : seen.width, swapped ? seen.width : seen.height, {}};
  for (int row = 0; row < stored.height; ++row) {
    for (int column = 0; column < stored.width; ++column) {
      int x = column, y = row;
      if (swapped) std::swap(x, y);
      if (columns_from_right || rows_from_right) x = seen.width - 1 - x;
      if (rows_from_bottom || columns_from_bottom) y = seen.height - 1 - y;
      const uint8_t* pixel = &seen.rgb[size_t(y * seen.width + x) * 3];
      stored.rgb.insert(stored.rgb.end(), pixel, pixel + 3);
    }
  }
  return stored;
}

TEST_F(ImageTest, ExifOrientationOfEveryCodec) {
  const Image seen = SmoothImage(24, 10);
  for (int o = 1; o <= 8; ++o) {
    SCOPED_TRACE(o);
    const Image stored = Store(seen, o);
    EXPECT_EQ(Orient(stored, o).rgb, seen.rgb);
    for (bool big_endian : {false, true}) {
      const std::string exif = Exif(o, big_endian);
      std::string png = EncodePng(stored);
      png.insert(kAfterIhdr, Chunk("eXIf", exif));
      const std::string files[] = {png, EncodeWebp(stored, exif),
                                   EncodeJpeg(stored.width, stored.height, stored.rgb, {.exif = exif})};
      for (const std::string& file : files) {
        SCOPED_TRACE(ImageFormatOf({reinterpret_cast<const uint8_t*>(file.data()), file.size()}));
        const Image back = Decode(file);
        ASSERT_EQ(back.width, 24);
        ASSERT_EQ(back.height, 10);
        EXPECT_GE(Psnr(seen, back), 30);  // a wrong turn of this picture stays below 20
      }
    }
  }
}

TEST_F(ImageTest, DamagedExifIsIgnored) {
  const auto orientation = [](const std::string& exif) {
    return ExifOrientation({reinterpret_cast<const uint8_t*>(exif.data()), exif.size()});
  };
  const std::string exif = Exif(6, false);
  EXPECT_EQ(orientation(exif), 6);
  EXPECT_EQ(orientation(std::string("Exif\0\0", 6) + exif), 6);
  for (size_t size = 0; size < 20; ++size) EXPECT_EQ(orientation(exif.substr(0, size)), 1) << size;
  for (int bad : {0, 9, 200}) EXPECT_EQ(orientation(Exif(bad, true)), 1);
  std::string far = exif;
  far[7] = '\xff';  // the folder lies beyond the end
  EXPECT_EQ(orientation(far), 1);
}

TEST_F(ImageTest, TruncatedAnywhereIsOneError) {
  const Image image = SmoothImage(40, 30);
  const std::string files[] = {EncodePng(image), EncodeJpeg(40, 30, image.rgb),
                               EncodeJpeg(40, 30, image.rgb, {.progressive = true}), EncodeWebp(image)};
  for (const std::string& file : files) {
    EXPECT_EQ(Decode(file).width, 40);
    // JPEG's last two bytes are its end marker, which readers forgive.
    for (size_t size = 0; size + 2 < file.size(); size += 1 + file.size() / 300)
      ExpectError(Exit::kBadInput, "memory", [&] { Decode(file.substr(0, size)); });
  }
}

TEST_F(ImageTest, FlippedBitsNeverCrash) {
  const Image image = SmoothImage(16, 12);
  for (const std::string& file : {EncodePng(image), EncodeJpeg(16, 12, image.rgb), EncodeWebp(image)}) {
    for (size_t i = 12; i < file.size(); ++i) {
      std::string bad = file;
      bad[i] = char(bad[i] ^ (1 << i % 8));
      try {
        const Image back = Decode(bad);
        EXPECT_EQ(back.rgb.size(), size_t(back.width) * size_t(back.height) * 3);
      } catch (const Error& error) {
        EXPECT_EQ(int(error.exit()), int(Exit::kBadInput));
      }
    }
  }
}

TEST_F(ImageTest, HostileHeaders) {
  using namespace std::string_literals;
  const std::string png = EncodePng(SmoothImage(8, 8));
  const auto with_size = [&](const std::string& width, const std::string& height) {
    return png.substr(0, 8) + Chunk("IHDR", width + height + "\x08\x02\0\0\0"s) + png.substr(kAfterIhdr);
  };
  EXPECT_EQ(Decode(with_size("\0\0\0\x08"s, "\0\0\0\x08"s)).width, 8);
  // 2^25 x 2^25 pixels: refused from the header.
  ExpectError(Exit::kBadInput, "too large", [&] { Decode(with_size("\x02\0\0\0"s, "\x02\0\0\0"s)); });
  ExpectError(Exit::kBadInput, "memory", [&] { Decode(with_size("\x7f\xff\xff\xff"s, "\0\0\0\x01"s)); });
  ExpectError(Exit::kBadInput, "memory", [&] { Decode(with_size("\0\0\0\0"s, "\0\0\0\x08"s)); });
  std::string wrong_crc = png;
  wrong_crc[kAfterIhdr - 1] ^= 1;
  ExpectError(Exit::kBadInput, "CRC", [&] { Decode(wrong_crc); });

  std::string jpeg = EncodeJpeg(8, 8, SmoothImage(8, 8).rgb);
  const size_t frame = jpeg.find("\xff\xc0"s);
  ASSERT_NE(frame, jpeg.npos);
  jpeg.replace(frame + 5, 4, "\xff\x00\xff\x00"s);  // 65280 x 65280
  ExpectError(Exit::kBadInput, "too large", [&] { Decode(jpeg); });
  jpeg.replace(frame + 5, 4, "\0\x08\0\0"s);  // width 0
  ExpectError(Exit::kBadInput, "memory", [&] { Decode(jpeg); });
}

TEST_F(ImageTest, ReadsPngWithoutCompression) {
  const TextMap text = {{"plain", "abc"}, {"unicode", "Grüße 日本"}};
  for (const auto& [width, height] : {std::pair(1, 1), {28, 771}, {257, 85}, {200, 200}}) {
    const Image image = SmoothImage(width, height);
    WriteFile(File("a.png"), EncodePlainPng(image, text));
    EXPECT_EQ(ReadImage(File("a.png")).rgb, image.rgb) << width;
  }
  const std::string png = EncodePlainPng(SmoothImage(9, 5), text);
  EXPECT_EQ(PngText({reinterpret_cast<const uint8_t*>(png.data()), png.size()}, "memory"), text);
}

TEST_F(ImageTest, OtherKindsAndMissingFiles) {
  ExpectError(Exit::kBadInput, "is empty", [] { Decode(""); });
  ExpectError(Exit::kBadInput, "read here: png, jpeg, webp, ppm", [] { Decode("GIF89a and so on"); });
  ExpectError(Exit::kNotFound, "absent.png", [&] { ReadImage(File("absent.png")); });
  ExpectError(Exit::kBadInput, "regular", [&] { ReadImage(folder_); });
  WriteClip(SmoothClip(8, 8, 2), File("a.webp"), *FindClipFormat("webp"), "", Replace::kYes);
  ExpectError(Exit::kBadInput, "animated", [&] { ReadImage(File("a.webp")); });
}

TEST_F(ImageTest, ListsPicturesSorted) {
  for (const char* name : {"b.PNG", "a.jpeg", "c.webp", "d.ppm", "notes.txt", ".hidden.png"})
    WriteFile(File(name), "x");
  std::filesystem::create_directory(File("folder.png"));
  const auto images = ListImages(folder_);
  ASSERT_EQ(images.size(), 4u);
  EXPECT_EQ(images[0].filename(), "a.jpeg");
  EXPECT_EQ(images[1].filename(), "b.PNG");
  EXPECT_EQ(images[2].filename(), "c.webp");
  EXPECT_EQ(images[3].filename(), "d.ppm");
  ExpectError(Exit::kNotFound, "absent", [&] { ListImages(File("absent")); });
}

}  // namespace
}  // namespace mvd
