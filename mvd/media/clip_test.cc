#include "mvd/media/clip.h"

#include <limits>

#include "mvd/base/atomic_file.h"
#include "mvd/media/media_testing.h"

namespace mvd {
namespace {

using ClipTest = ScratchTest;

std::string Bytes(const std::filesystem::path& path) { return ReadFile(path, size_t(1) << 28); }

// What a format may cost: the smooth clip has no detail to lose. GIF has 255 colours and dithers.
struct FormatCase {
  const char* file;
  const char* format;
  const char* codec;
  double least_psnr;
};
constexpr FormatCase kCases[] = {
    {"a.mp4", "mp4", "h264", 35},   {"a.webm", "webm", "vp9", 35},    {"a.gif", "gif", "gif", 22},
    {"a.webp", "webp", "webp", 35}, {"a.y4m", "y4m", "rawvideo", 40}, {"a/", "folder", "png", 90},
};

TEST_F(ClipTest, EveryFormatComesBack) {
  const Clip clip = SmoothClip(96, 64);
  for (const FormatCase& c : kCases) {
    SCOPED_TRACE(c.file);
    WriteClip(clip, File(c.file), *FindClipFormat(c.file), "{}", Replace::kYes);
    const ClipInfo info = ProbeClip(File(c.file));
    EXPECT_EQ(info.format, c.format);
    EXPECT_EQ(info.codec, c.codec);
    EXPECT_EQ(info.frames, 14);
    EXPECT_EQ(info.width, 96);
    EXPECT_EQ(info.height, 64);
    const Clip back = ReadClip(File(c.file));
    ASSERT_EQ(back.frames.size(), 14u);
    if (info.format != std::string("folder")) {
      // GIF counts hundredths, WebP thousandths of a second: 14 frames of 1/7 s are 2 s in both.
      EXPECT_NEAR(info.fps, 7, 0.1);
      EXPECT_NEAR(back.fps, 7, 0.1);
      EXPECT_NEAR(info.seconds, 2, 0.03);
    }
    for (size_t i = 0; i < 14; ++i) EXPECT_GE(Psnr(clip.frames[i], back.frames[i]), c.least_psnr) << i;
    EXPECT_EQ(ReadClip(File(c.file), 3).frames.size(), 3u);
  }
}

TEST_F(ClipTest, TheSameClipGivesTheSameBytes) {
  const Clip clip = SmoothClip(50, 34, 5);  // small and odd: where encoders look beyond the rows
  const Clip wide = SmoothClip(136, 64, 5);
  for (const char* extension : {"mp4", "webm", "gif", "webp", "y4m", "md5"}) {
    const auto* format = FindClipFormat(extension);
    WriteClip(clip, File(std::string("a.") + extension), *format, "{\"a\":1}", Replace::kYes);
    WriteClip(clip, File(std::string("b.") + extension), *format, "{\"a\":1}", Replace::kYes);
    EXPECT_EQ(Bytes(File(std::string("a.") + extension)), Bytes(File(std::string("b.") + extension)))
        << extension;
  }
  WriteClip(wide, File("a.mp4"), *FindClipFormat("mp4"), "", Replace::kYes);
  WriteClip(wide, File("b.mp4"), *FindClipFormat("mp4"), "", Replace::kYes);
  EXPECT_EQ(Bytes(File("a.mp4")), Bytes(File("b.mp4")));
}

TEST_F(ClipTest, OddSizesArePaddedInMp4AndKeptElsewhere) {
  const Clip clip = SmoothClip(61, 37, 4);
  for (const char* file : {"a.mp4", "a.webm", "a.gif", "a.webp", "a.y4m", "a/"}) {
    SCOPED_TRACE(file);
    WriteClip(clip, File(file), *FindClipFormat(file), "", Replace::kYes);
    const Clip back = ReadClip(File(file));
    const bool mp4 = std::string(file) == "a.mp4";
    EXPECT_EQ(back.width, mp4 ? 62 : 61);
    EXPECT_EQ(back.height, mp4 ? 38 : 37);
    ASSERT_EQ(back.frames.size(), 4u);
    EXPECT_GE(Psnr(clip.frames[3], back.frames[3]), 22);  // GIF's, as above
  }
}

TEST_F(ClipTest, OneFrameIsAClip) {
  const Clip clip = SmoothClip(32, 32, 1);
  for (const char* file : {"a.mp4", "a.webm", "a.gif", "a.webp", "a.y4m", "a/"}) {
    SCOPED_TRACE(file);
    WriteClip(clip, File(file), *FindClipFormat(file), "{}", Replace::kYes);
    EXPECT_EQ(ReadClip(File(file)).frames.size(), 1u);
    EXPECT_EQ(ReadRecipe(File(file)), "{}");
  }
}

TEST_F(ClipTest, Mp4IsForEveryPlayer) {
  WriteClip(SmoothClip(63, 33), File("a.mp4"), *FindClipFormat("mp4"), "{}", Replace::kYes);
  const ClipInfo info = ProbeClip(File("a.mp4"));
  EXPECT_EQ(info.pixels, "yuv420p");
  EXPECT_EQ(info.width % 2 + info.height % 2, 0);
  const std::string bytes = Bytes(File("a.mp4"));
  EXPECT_EQ(bytes.substr(4, 4), "ftyp");
  ASSERT_NE(bytes.find("mdat"), std::string::npos);
  EXPECT_LT(bytes.find("moov"), bytes.find("mdat"));
  // The colr box: 'nclx', primaries, transfer and matrix BT.709 (1), studio range.
  EXPECT_NE(bytes.find(std::string("colrnclx\0\1\0\1\0\1\0", 15)), std::string::npos);
}

TEST_F(ClipTest, FlatColoursSurviveTheMatrix) {
  // A wrong or untagged matrix moves saturated colours by 10 and more; coding a flat field costs 1 or 2.
  const int colours[][3] = {{255, 0, 0}, {0, 255, 0}, {0, 0, 255}, {200, 120, 40}};
  for (const auto& colour : colours) {
    Clip clip{32, 32, 7, {Image{32, 32, {}}}};
    for (int i = 0; i < 32 * 32 * 3; ++i) clip.frames[0].rgb.push_back(uint8_t(colour[i % 3]));
    for (const char* file : {"a.mp4", "a.webm", "a.y4m"}) {
      WriteClip(clip, File(file), *FindClipFormat(file), "", Replace::kYes);
      const Clip back = ReadClip(File(file));
      for (int c = 0; c < 3; ++c) EXPECT_NEAR(back.frames[0].rgb[size_t(c)], colour[c], 3) << file;
    }
  }
}

TEST_F(ClipTest, Md5NamesEveryFrame) {
  Clip clip{1, 1, 7, {Image{1, 1, {'a', 'b', 'c'}}}};
  WriteClip(clip, File("a.md5"), *FindClipFormat("md5"), "", Replace::kYes);
  // RFC 1321, A.5: the digest of "abc".
  EXPECT_EQ(Bytes(File("a.md5")), "1x1 frames 1\n000000 900150983cd24fb0d6963f7d28e17f72\n");
}

TEST_F(ClipTest, NullWritesNothing) {
  WriteClip(SmoothClip(8, 8), File("a"), *FindClipFormat("null"), "{}", Replace::kYes);
  EXPECT_TRUE(Empty());
}

TEST_F(ClipTest, WholeOrNotAtAll) {
  const Clip clip = SmoothClip(16, 16, 2);
  for (const ClipFormat& format : ClipFormats()) {
    if (format.name == "null") continue;
    ExpectError(Exit::kNotFound, "absent",
                [&] { WriteClip(clip, File("absent") / "a.x", format, "{}", Replace::kYes); });
  }
  EXPECT_TRUE(Empty());
  // The encoder fails half way: nothing is left, and what was there before stays.
  Clip wide{20000, 2, 7, {Image{20000, 2, std::vector<uint8_t>(120000)}}};
  WriteFile(File("b.webp"), "before");
  ExpectError(Exit::kBadInput, "b.webp",
              [&] { WriteClip(wide, File("b.webp"), *FindClipFormat("webp"), "", Replace::kYes); });
  EXPECT_EQ(Bytes(File("b.webp")), "before");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1);
}

TEST_F(ClipTest, AFolderWithContentIsNotReplaced) {
  const Clip clip = SmoothClip(16, 16, 2);
  const ClipFormat& png = *FindClipFormat("png");
  WriteClip(clip, File("frames/"), png, "", Replace::kYes);
  EXPECT_TRUE(std::filesystem::exists(File("frames") / "000001.png"));
  ExpectError(Exit::kUsage, "not an empty folder",
              [&] { WriteClip(clip, File("frames"), png, "", Replace::kNo); });
  std::filesystem::create_directory(File("empty"));
  WriteClip(clip, File("empty"), png, "", Replace::kYes);
  EXPECT_EQ(ReadClip(File("empty")).frames[1].rgb, clip.frames[1].rgb);
}

TEST_F(ClipTest, FormatsAreFoundByNameAndExtension) {
  EXPECT_EQ(FindClipFormat("out.MP4")->name, "mp4");
  EXPECT_EQ(FindClipFormat("webm")->name, "webm");
  EXPECT_EQ(FindClipFormat("a.b/c.gif")->name, "gif");
  EXPECT_EQ(FindClipFormat("frames/")->name, "png");
  EXPECT_EQ(FindClipFormat("out.avi"), nullptr);
  EXPECT_EQ(FindClipFormat("out"), nullptr);
  EXPECT_EQ(ClipFormatNames(), "mp4, webm, gif, webp, y4m, png, md5, null");
}

TEST_F(ClipTest, UsageErrors) {
  const ClipFormat& mp4 = *FindClipFormat("mp4");
  ExpectError(Exit::kUsage, "without frames", [&] {
    WriteClip(Clip{8, 8, 7, {}}, File("a.mp4"), mp4, "", Replace::kYes);
  });
  for (double fps : {0.0, -1.0, 1e9, std::numeric_limits<double>::quiet_NaN()})
    ExpectError(Exit::kUsage, "fps",
                [&] { WriteClip(SmoothClip(8, 8, 1, fps), File("a.mp4"), mp4, "", Replace::kYes); });
}

TEST_F(ClipTest, FractionalRates) {
  for (const char* file : {"a.mp4", "a.webm"}) {
    WriteClip(SmoothClip(32, 32, 10, 29.97), File(file), *FindClipFormat(file), "", Replace::kYes);
    EXPECT_NEAR(ProbeClip(File(file)).fps, 29.97, 0.02) << file;  // webm counts milliseconds
  }
}

TEST(FramesFromFloatTest, RoundsAsNumpy) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  // 0.5/255 and 1.5/255 are ties up to f32: 127.5 is exact for 0.5.
  const float values[] = {0.0f, 1.0f, 0.5f, -0.1f, 1.1f, nan};
  const Clip clip = FramesFromFloat(values, 2, 1, 1, 7);
  EXPECT_EQ(clip.frames[0].rgb, (std::vector<uint8_t>{0, 255, 128}));
  EXPECT_EQ(clip.frames[1].rgb, (std::vector<uint8_t>{0, 255, 0}));
  const float tie[] = {0.1f, 126.5f / 255.0f, 0.9f};  // 25.5 and 126.5 go to even, 229.5 too
  ASSERT_EQ(tie[1] * 255.0f, 126.5f);
  EXPECT_EQ(FramesFromFloat(tie, 1, 1, 1, 7).frames[0].rgb[1], 126);
}

}  // namespace
}  // namespace mvd
