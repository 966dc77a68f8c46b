// Clips that are damaged, foreign or too large end in one line, never in a crash or in missing frames.
#include <fstream>

#include "mvd/base/atomic_file.h"
#include "mvd/media/media_testing.h"

namespace mvd {
namespace {

using ClipHostileTest = ScratchTest;

TEST_F(ClipHostileTest, TruncatedClipsAreErrors) {
  for (const char* name : {"mp4", "gif", "webp", "y4m", "webm"}) {
    WriteClip(SmoothClip(48, 32), File("a"), *FindClipFormat(name), "{}", Replace::kYes);
    const std::string bytes = ReadFile(File("a"), 1 << 24);
    for (const double share : {0.0, 0.001, 0.1, 0.3, 0.5, 0.7, 0.9}) {
      SCOPED_TRACE(std::string(name) + " " + std::to_string(share));
      std::ofstream(File("b"), std::ios::binary) << bytes.substr(0, size_t(double(bytes.size()) * share));
      ExpectError(Exit::kBadInput, "b", [&] { ReadClip(File("b")); });
    }
  }
}

TEST_F(ClipHostileTest, FlippedBytesNeverCrash) {
  for (const char* name : {"mp4", "gif", "webp", "y4m", "webm"}) {
    WriteClip(SmoothClip(16, 16, 3), File("a"), *FindClipFormat(name), "{}", Replace::kYes);
    const std::string bytes = ReadFile(File("a"), 1 << 24);
    for (size_t i = 0; i < bytes.size(); i += 1 + bytes.size() / 150) {
      std::string bad = bytes;
      bad[i] = char(bad[i] ^ 0xff);
      std::ofstream(File("b"), std::ios::binary) << bad;
      try {
        EXPECT_FALSE(ReadClip(File("b"), 5).frames.empty());
      } catch (const Error& error) {
        EXPECT_EQ(int(error.exit()), int(Exit::kBadInput)) << error.what();
      }
    }
  }
}

TEST_F(ClipHostileTest, RubbishAndMissing) {
  WriteFile(File("text.mp4"), "no clip at all, only words");
  ExpectError(Exit::kBadInput, "text.mp4", [&] { ReadClip(File("text.mp4")); });
  ExpectError(Exit::kBadInput, "text.mp4", [&] { ProbeClip(File("text.mp4")); });
  ExpectError(Exit::kBadInput, "text.mp4", [&] { ReadRecipe(File("text.mp4")); });
  ExpectError(Exit::kNotFound, "absent.mp4", [&] { ReadClip(File("absent.mp4")); });
  ExpectError(Exit::kBadInput, "holds no", [&] { ReadClip(folder_ / "."), ReadClip(File("")); });
}

TEST_F(ClipHostileTest, PlaylistsOpenNothing) {
  WriteClip(SmoothClip(16, 16, 2), File("a.mp4"), *FindClipFormat("mp4"), "", Replace::kYes);
  WriteFile(File("list.m3u8"), "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\na.mp4\n#EXT-X-ENDLIST\n");
  WriteFile(File("list.txt"), "ffconcat version 1.0\nfile a.mp4\n");
  ExpectError(Exit::kBadInput, "list.m3u8", [&] { ReadClip(File("list.m3u8")); });
  ExpectError(Exit::kBadInput, "list.txt", [&] { ReadClip(File("list.txt")); });
}

TEST_F(ClipHostileTest, LimitsHoldBeforeDecoding) {
  WriteFile(File("a.y4m"), "YUV4MPEG2 W30000 H30000 F7:1 C420\nFRAME\n");
  ExpectError(Exit::kBadInput, "a.y4m", [&] { ReadClip(File("a.y4m")); });
  WritePng(File("0.png"), SmoothImage(8, 8));
  WritePng(File("1.png"), SmoothImage(8, 9));
  ExpectError(Exit::kBadInput, "frame 1 has 8x9", [&] { ReadClip(folder_); });
}

}  // namespace
}  // namespace mvd
