// Pictures and clips without a library: in any build, and all there is in one without codecs.
#include "mvd/media/plain_image.h"

#include <cstring>

#include "mvd/base/atomic_file.h"
#include "mvd/media/media_testing.h"

namespace mvd {
namespace {

using namespace std::string_literals;
using PlainImageTest = ScratchTest;

Image Decode(const std::string& bytes) {
  return DecodeImage({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}, "memory");
}

TEST_F(PlainImageTest, PpmWithCommentsAndPixelsLikeWhiteSpace) {
  for (const std::string& header : {"P6 2 1 255 "s, "P6\n# by hand\n2 1\n255\n"s, "P6\t2#two\n1\r\n255\n"s}) {
    const Image image = Decode(header + "\n \tabc");
    EXPECT_EQ(image.width, 2) << header;
    EXPECT_EQ(image.height, 1);
    EXPECT_EQ(image.rgb, (std::vector<uint8_t>{'\n', ' ', '\t', 'a', 'b', 'c'}));
  }
  WriteFile(File("a.ppm"), "P6 1 1 255\nabcP6 1 1 255\ndef");  // a second picture
  EXPECT_EQ(ReadImage(File("a.ppm")).rgb, (std::vector<uint8_t>{'a', 'b', 'c'}));
  EXPECT_EQ(ListImages(folder_).size(), 1u);
}

TEST_F(PlainImageTest, HostilePpm) {
  const auto refused = [](const std::string& part, const std::string& bytes) {
    SCOPED_TRACE(bytes.substr(0, 40));
    ExpectError(Exit::kBadInput, part, [&] { Decode(bytes); });
  };
  const std::string good = "P6 2 2 255 123456789012";
  EXPECT_EQ(Decode(good).rgb.size(), 12u);
  for (size_t size = 2; size < good.size(); ++size) refused("memory", good.substr(0, size));
  refused("truncated", "P6 999999999 999999999 255 abc");
  refused("truncated", "P6 1 999999999 255 abc");
  refused("header", "P6 9999999999 1 255 abc");
  refused("header", "P6 -1 1 255 abc");
  refused("header", "P6 1 1 255x");
  refused("header", "P61 1 255 abc");
  refused("header", "P6#" + std::string(1000, 'x'));
  refused("empty", "P6 0 1 255 abc");
  refused("empty", "P6 1 0 255 abc");
  refused("expected 255", "P6 1 1 65535 abcdef");
  refused("expected 255", "P6 1 1 0 abc");
  refused("too large", "P6 67108865 1 255 " + std::string(size_t(67108865) * 3, ' '));
}

// The definitions of PNG's annex D and RFC 1950, bit by bit and byte by byte.
uint32_t SlowCrc(std::string_view bytes) {
  uint32_t crc = ~0u;
  for (const char c : bytes) {
    crc ^= uint8_t(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (crc & 1 ? 0xedb88320u : 0);
  }
  return ~crc;
}
uint32_t SlowAdler(std::string_view bytes) {
  uint32_t a = 1, b = 0;
  for (const char c : bytes) a = (a + uint8_t(c)) % 65521, b = (b + a) % 65521;
  return b << 16 | a;
}

struct Reader {
  std::string_view rest;
  std::string_view Take(size_t count) {
    EXPECT_LE(count, rest.size());
    const std::string_view part = rest.substr(0, count);
    rest.remove_prefix(part.size());
    return part;
  }
  uint32_t Number() {
    uint32_t value = 0;
    for (const char c : Take(4)) value = value << 8 | uint8_t(c);
    return value;
  }
};

// What stored deflate blocks hold; checks lengths, their complements and the sum behind them.
std::string Unstore(std::string_view data) {
  Reader in{data};
  EXPECT_EQ(in.Take(2), "\x78\x01");
  EXPECT_EQ(0x7801 % 31, 0);  // RFC 1950: the two bytes are a multiple of 31
  std::string out;
  for (bool last = false; !last && !in.rest.empty();) {
    last = in.Take(1) == "\1";
    const std::string_view head = in.Take(4);
    const auto word = [head](size_t i) { return uint8_t(head[i]) | uint8_t(head[i + 1]) << 8; };
    EXPECT_EQ(word(0) ^ word(2), 0xffff);
    out += in.Take(size_t(word(0)));
  }
  EXPECT_EQ(in.Number(), SlowAdler(out));
  EXPECT_TRUE(in.rest.empty());
  return out;
}

TEST_F(PlainImageTest, PngIsBuiltAsItsSpecificationSays) {
  // (3 width + 1) height bytes: less than one block of 65535, as much, more, and almost two.
  for (const auto& [width, height] : {std::pair(1, 1), {28, 771}, {257, 85}, {200, 200}}) {
    const Image image = SmoothImage(width, height);
    const std::string png = EncodePlainPng(image, {{"key", "plain"}, {"other", "Grüße"}});
    EXPECT_EQ(PngSize(png).width, width);
    EXPECT_EQ(PngSize(png).height, height);
    Reader in{png};
    EXPECT_EQ(in.Take(8), "\x89PNG\r\n\x1a\n");
    std::vector<std::string> kinds;
    std::map<std::string, std::string> chunks;
    while (!in.rest.empty()) {
      const size_t size = in.Number();
      const std::string_view body = in.rest.substr(0, size + 4);
      kinds.emplace_back(in.Take(4));
      chunks[kinds.back()] = in.Take(size);
      EXPECT_EQ(in.Number(), SlowCrc(body)) << kinds.back();
    }
    EXPECT_EQ(kinds, (std::vector<std::string>{"IHDR", "tEXt", "iTXt", "IDAT", "IEND"}));
    EXPECT_EQ(chunks["IHDR"].substr(8), "\x08\x02\0\0\0"s);
    EXPECT_EQ(chunks["tEXt"], "key\0plain"s);
    EXPECT_EQ(chunks["iTXt"], "other\0\0\0\0\0Grüße"s);
    const std::string rows = Unstore(chunks["IDAT"]);
    const size_t stride = size_t(width) * 3;
    ASSERT_EQ(rows.size(), (stride + 1) * size_t(height));
    for (int y = 0; y < height; ++y) {
      const char* row = &rows[size_t(y) * (stride + 1)];
      EXPECT_EQ(row[0], 0);
      EXPECT_EQ(std::memcmp(row + 1, &image.rgb[size_t(y) * stride], stride), 0);
    }
  }
}

TEST_F(PlainImageTest, Y4mHoldsStudioRangeBt601) {
  // ITU-R BT.601: white, black, red, green, blue and a grey.
  Clip clip{
      6, 1, 29.97, {Image{6, 1, {255, 255, 255, 0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255, 128, 128, 128}}}};
  WriteClip(clip, File("a.y4m"), *FindClipFormat("y4m"), "", Replace::kYes);
  const std::string planes =
      "\xeb\x10\x51\x91\x29\x7e"   // Y' 235 16 81 145 41 126
      "\x80\x80\x5a\x36\xf0\x80"   // Cb 128 128 90 54 240 128
      "\x80\x80\xf0\x22\x6e\x80";  // Cr 128 128 240 34 110 128
  EXPECT_EQ(ReadFile(File("a.y4m"), 1000), "YUV4MPEG2 W6 H1 F2997:100 Ip A1:1 C444\nFRAME\n" + planes);
}

TEST_F(PlainImageTest, SomeFormatCanAlwaysBeWritten) {
  const ClipFormat& format = DefaultClipFormat();
  EXPECT_TRUE(CanWrite(format));
  EXPECT_EQ(format.name, HasCodecs() ? "mp4" : "y4m");
  WriteClip(SmoothClip(16, 16, 2), File("a" + ExtensionOf(format)), format, "{}", Replace::kYes);
  EXPECT_GT(std::filesystem::file_size(File("a" + ExtensionOf(format))), 0u);
  WriteClip(SmoothClip(16, 16, 2), File("frames"), *FindClipFormat("png"), "", Replace::kYes);
  EXPECT_EQ(ListImages(File("frames")).size(), 2u);
}

TEST_F(PlainImageTest, WithoutLibrariesErrorsNameThem) {
  if (HasCodecs()) GTEST_SKIP() << "built with FFmpeg, libpng, libjpeg and libwebp";
  EXPECT_EQ(ImageFormatNames(), "ppm");
  EXPECT_EQ(ClipFormatNames(), "y4m, png, null");
  ExpectError(Exit::kUsage, "libjpeg", [] { Decode("\xff\xd8\xff and so on"); });
  ExpectError(Exit::kUsage, "libpng", [] { Decode(EncodePlainPng(SmoothImage(2, 2), {})); });
  WriteFile(File("a.mp4"), "whatever");
  ExpectError(Exit::kUsage, "FFmpeg", [&] { ReadClip(File("a.mp4")); });
  ExpectError(Exit::kUsage, "MVD_MEDIA", [&] {
    WriteClip(SmoothClip(8, 8, 1), File("b.mp4"), *FindClipFormat("mp4"), "", Replace::kYes);
  });
  EXPECT_FALSE(std::filesystem::exists(File("b.mp4")));
}

}  // namespace
}  // namespace mvd
