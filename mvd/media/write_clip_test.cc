// Where clips go: what is replaced and what is not, streams, recipes beside their clips.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <thread>

#include "mvd/base/atomic_file.h"
#include "mvd/media/media_testing.h"

namespace mvd {
namespace {

namespace fs = std::filesystem;
using WriteClipTest = ScratchTest;

std::string Bytes(const fs::path& path) { return ReadFile(path, size_t(1) << 28); }

TEST_F(WriteClipTest, EveryFormatFollowsTheSameRules) {
  const Clip clip = SmoothClip(16, 16, 2);
  // For root a node of its own: a test that fails must not cost the machine its own.
  const bool made = ::mknod(File("device").c_str(), S_IFCHR | 0666, makedev(1, 3)) == 0;
  const fs::path device = made ? File("device") : fs::path("/dev/null");
  for (const ClipFormat& format : ClipFormats()) {
    if (format.name == "null") continue;
    SCOPED_TRACE(format.name);
    const bool folder = format.extensions[0] == "/";
    const fs::path place = File(std::string(format.name)), link = place / "link", real = place / "real/a";
    fs::create_directories(place / "real");
    fs::create_symlink("real/a", link);
    WriteClip(clip, link, format, "{}", Replace::kNo);
    EXPECT_TRUE(fs::is_symlink(link));
    EXPECT_EQ(fs::is_directory(real), folder);
    ExpectError(Exit::kUsage, "exists", [&] { WriteClip(clip, link, format, "{}", Replace::kNo); });
    ExpectError(Exit::kUsage, "exists", [&] { CheckClipTarget(link, format, Replace::kNo); });
    WriteClip(clip, link, format, "{}", Replace::kYes);
    CheckClipTarget(link, format, Replace::kYes);
    if (folder) {
      ExpectError(Exit::kUsage, "a pipe or a device",
                  [&] { WriteClip(clip, device, format, "{}", Replace::kYes); });
    } else {
      WriteClip(clip, device, format, "{}", Replace::kNo);
    }
    EXPECT_TRUE(fs::is_character_file(device));
    for (const auto& entry : fs::recursive_directory_iterator(place))
      EXPECT_NE(entry.path().extension(), ".part");
  }
}

TEST_F(WriteClipTest, AFifoGetsTheBytesOfTheFile) {
  const Clip clip = SmoothClip(48, 32, 9);
  ASSERT_EQ(::mkfifo(File("fifo").c_str(), 0600), 0);
  for (const ClipFormat& format : ClipFormats()) {
    if (format.name == "null" || format.name == "png") continue;
    WriteClip(clip, File("file"), format, "{\"a\":1}", Replace::kYes);
    std::string got;
    std::thread reader([&] {
      const int fifo = ::open(File("fifo").c_str(), O_RDONLY);
      char part[4096];
      for (ssize_t size; (size = ::read(fifo, part, sizeof part)) > 0;) got.append(part, size_t(size));
      ::close(fifo);
    });
    WriteClip(clip, File("fifo"), format, "{\"a\":1}", Replace::kNo);
    reader.join();
    EXPECT_EQ(got, Bytes(File("file"))) << format.name;
    EXPECT_FALSE(fs::exists(File("fifo.recipe.json")));
  }
}

TEST_F(WriteClipTest, ARecipeIsReplacedAfterItsClip) {
  const ClipFormat& y4m = *FindClipFormat("y4m");
  const Clip clip = SmoothClip(16, 16, 2);
  WriteClip(clip, File("a.y4m"), y4m, "old", Replace::kNo);
  const std::string before = Bytes(File("a.y4m"));
  // The clip cannot take its name: the recipe stays the old clip's.
  Clip wide = clip;
  wide.fps = 30;
  fs::remove(File("a.y4m"));
  ASSERT_EQ(::mkfifo(File("b.y4m").c_str(), 0600), 0);
  fs::create_directory(File("a.y4m"));
  ExpectError(Exit::kUsage, "a folder", [&] { WriteClip(wide, File("a.y4m"), y4m, "new", Replace::kYes); });
  EXPECT_EQ(Bytes(File("a.y4m.recipe.json")), "old");
  fs::remove(File("a.y4m"));
  // Somebody else's recipe is not taken over without leave.
  ExpectError(Exit::kUsage, "recipe.json", [&] { WriteClip(wide, File("a.y4m"), y4m, "new", Replace::kNo); });
  EXPECT_FALSE(fs::exists(File("a.y4m")));
  WriteClip(wide, File("a.y4m"), y4m, "new", Replace::kYes);
  EXPECT_NE(Bytes(File("a.y4m")), before);
  EXPECT_EQ(Bytes(File("a.y4m.recipe.json")), "new");
}

TEST_F(WriteClipTest, ASequenceReplacesOurOwnAlone) {
  const ClipFormat& png = *FindClipFormat("png");
  WriteClip(SmoothClip(16, 16, 9), File("z"), png, "{}", Replace::kNo);
  WriteClip(SmoothClip(16, 16, 3), File("z"), png, "{}", Replace::kYes);
  EXPECT_EQ(ReadClip(File("z")).frames.size(), 3u);
  WritePng(File("z") / "000003.png", SmoothImage(16, 16));  // of the right name, not ours
  ExpectError(Exit::kUsage, "'000003.png'",
              [&] { WriteClip(SmoothClip(16, 16, 2), File("z"), png, "{}", Replace::kYes); });
  fs::remove(File("z") / "000003.png");
  fs::remove(File("z") / "000001.png");  // a gap: somebody made a choice among them
  ExpectError(Exit::kUsage, "'000002.png'",
              [&] { WriteClip(SmoothClip(16, 16, 2), File("z"), png, "{}", Replace::kYes); });
  EXPECT_EQ(std::distance(fs::directory_iterator(File("z")), {}), 2);
}

}  // namespace
}  // namespace mvd
