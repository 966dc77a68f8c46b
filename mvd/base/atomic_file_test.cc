#include "mvd/base/atomic_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>

#include "mvd/base/error_testing.h"
#include "mvd/base/file_error.h"
#include "mvd/base/paths.h"

namespace mvd {
namespace {

namespace fs = std::filesystem;

class AtomicFileTest : public testing::Test {
 protected:
  AtomicFileTest() {
    std::string name = (fs::temp_directory_path() / "mvd_base_XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
  }
  ~AtomicFileTest() override { fs::remove_all(folder_); }
  fs::path File(const std::string& name) const { return folder_ / name; }
  std::string Content(const std::string& name) const { return ReadFile(File(name), 1 << 20); }
  // Names, hidden ones too: nothing temporary is left.
  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const fs::path& path : ListFolder(folder_)) names.push_back(path.filename().string());
    return names;
  }
  void Fill(const AtomicFile& file, std::string_view text) { std::ofstream(file.temporary()) << text; }
  // For root a node of its own: a test that fails must not cost the machine its own.
  fs::path NullDevice() const {
    const bool made = ::mknod(File("null").c_str(), S_IFCHR | 0666, makedev(1, 3)) == 0;
    return made ? File("null") : fs::path("/dev/null");
  }
  static mode_t Mode(const fs::path& path) { return StatOf(path)->st_mode & 07777; }

  fs::path folder_;
};

TEST_F(AtomicFileTest, OneNameForTwoWithoutReplacing) {
  AtomicFile first(File("a"), Replace::kNo), second(File("a"), Replace::kNo);
  EXPECT_NE(first.temporary(), second.temporary());
  Fill(first, "first");
  Fill(second, "second");
  first.Commit();
  ExpectOneLineError(Exit::kUsage, "exists", [&] { second.Commit(); });
  EXPECT_EQ(Content("a"), "first");
  ExpectOneLineError(Exit::kUsage, "exists", [&] { AtomicFile third(File("a"), Replace::kNo); });
  WriteFile(File("a"), "third", Replace::kYes);
  EXPECT_EQ(Content("a"), "third");
}

TEST_F(AtomicFileTest, NothingIsLeftWithoutCommit) {
  {
    AtomicFile file(File("a"), Replace::kNo);
    EXPECT_EQ(Names().size(), 1u);  // made at once: what forbids it shows before the work
    AtomicFolder folder(File("b"), Replace::kNo);
    std::ofstream(folder.temporary() / "x") << "x";
  }
  EXPECT_EQ(Names(), std::vector<std::string>());
}

TEST_F(AtomicFileTest, AnyNameThatFitsTheTarget) {
  for (const std::string& name : {std::string(255, 'x'), "ab" + std::string(250, 'y') + "z"}) {
    WriteFile(File(name), "text", Replace::kNo);
    EXPECT_EQ(Content(name), "text");
  }
  std::string letters;
  while (letters.size() < 254) letters += "ü";
  WriteFile(File(letters), "text", Replace::kNo);
  EXPECT_EQ(Content(letters), "text");
  AtomicFolder(File(std::string(255, 'f')), Replace::kNo).Commit();
  EXPECT_TRUE(IsFolder(File(std::string(255, 'f'))));
  ExpectOneLineError(Exit::kBadInput, "too long", [&] { WriteFile(File(std::string(256, 'x')), "text"); });
}

TEST_F(AtomicFileTest, LinksAreFollowed) {
  fs::create_directory(File("elsewhere"));
  WriteFile(File("elsewhere/real"), "old");
  fs::create_symlink("elsewhere/real", File("link"));
  fs::create_symlink(File("link"), File("link to link"));
  WriteFile(File("link to link"), "new", Replace::kYes);
  EXPECT_EQ(Content("elsewhere/real"), "new");
  EXPECT_TRUE(fs::is_symlink(File("link")) && fs::is_symlink(File("link to link")));
  ExpectOneLineError(Exit::kUsage, "exists", [&] { WriteFile(File("link"), "newer", Replace::kNo); });
  fs::create_symlink("elsewhere/not yet", File("dangling"));
  WriteFile(File("dangling"), "made", Replace::kNo);
  EXPECT_EQ(Content("elsewhere/not yet"), "made");
  fs::create_symlink("circle", File("circle"));
  ExpectOneLineError(Exit::kBadInput, "circle", [&] { WriteFile(File("circle"), "text"); });
  fs::create_directory_symlink("elsewhere", File("folder"));
  WriteFile(File("folder/b"), "b", Replace::kNo);
  EXPECT_EQ(Content("elsewhere/b"), "b");
}

TEST_F(AtomicFileTest, WhatIsNoFileIsNeverReplaced) {
  ASSERT_EQ(::mkfifo(File("fifo").c_str(), 0600), 0);
  const fs::path device = NullDevice();
  fs::create_directory(File("folder"));
  WriteFile(File("file"), "text");
  for (const Replace replace : {Replace::kNo, Replace::kYes}) {
    ExpectOneLineError(Exit::kUsage, "a FIFO", [&] { AtomicFile file(File("fifo"), replace); });
    ExpectOneLineError(Exit::kUsage, "a device", [&] { AtomicFile file(device, replace); });
    ExpectOneLineError(Exit::kUsage, "a folder", [&] { AtomicFile file(File("folder"), replace); });
    ExpectOneLineError(Exit::kUsage, "not a folder", [&] { AtomicFolder folder(File("file"), replace); });
  }
  EXPECT_TRUE(fs::is_fifo(File("fifo")) && fs::is_character_file(device));
  // One that comes while we write.
  AtomicFile late(File("late"), Replace::kYes);
  ASSERT_EQ(::mkfifo(File("late").c_str(), 0600), 0);
  ExpectOneLineError(Exit::kUsage, "a FIFO", [&] { late.Commit(); });
}

TEST_F(AtomicFileTest, Modes) {
  const mode_t before = ::umask(027);
  WriteFile(File("new"), "text");
  AtomicFolder(File("folder"), Replace::kNo).Commit();
  EXPECT_EQ(Mode(File("new")), 0640u);
  EXPECT_EQ(Mode(File("folder")), 0750u);
  fs::permissions(File("new"), fs::perms(0604));
  WriteFile(File("new"), "other", Replace::kYes);
  EXPECT_EQ(Mode(File("new")), 0604u);
  ::umask(before);
}

TEST_F(AtomicFileTest, FoldersAppearWhole) {
  fs::create_directory(File("empty"));
  AtomicFolder folder(File("empty"), Replace::kNo);
  std::ofstream(folder.temporary() / "x") << "x";
  EXPECT_TRUE(IsEmptyFolder(File("empty")));
  folder.Commit();
  EXPECT_EQ(Content("empty/x"), "x");
  ExpectOneLineError(Exit::kUsage, "not an empty folder",
                     [&] { AtomicFolder again(File("empty"), Replace::kNo); });
  EXPECT_EQ(Names(), std::vector<std::string>{"empty"});
}

TEST_F(AtomicFileTest, AnOldFolderGoesOnlyIfAllInItIsOurs) {
  const auto foreign = [](const fs::path& folder) {
    for (const fs::path& path : ListFolder(folder))
      if (!path.filename().string().starts_with("ours")) return path.filename().string();
    return std::string();
  };
  fs::create_directory(File("a"));
  WriteFile(File("a/ours 1"), "old");
  WriteFile(File("a/ours 2"), "old");
  {
    AtomicFolder folder(File("a"), Replace::kYes, foreign);
    WriteFile(folder.temporary() / "ours 1", "new");
    folder.Commit();
  }
  EXPECT_EQ(Content("a/ours 1"), "new");
  EXPECT_FALSE(PathExists(File("a/ours 2")));
  {
    AtomicFolder folder(File("a"), Replace::kYes, foreign);
    WriteFile(File("a/photo"), "mine");  // comes while we write
    ExpectOneLineError(Exit::kUsage, "'photo'", [&] { folder.Commit(); });
  }
  EXPECT_EQ(Content("a/photo"), "mine");
  EXPECT_EQ(Content("a/ours 1"), "new");
  ExpectOneLineError(Exit::kUsage, "'photo'",
                     [&] { AtomicFolder folder(File("a"), Replace::kYes, foreign); });
  EXPECT_EQ(Names(), std::vector<std::string>{"a"});
}

TEST_F(AtomicFileTest, FilesMoveIntoAFolder) {
  fs::create_directories(File("a/sub"));
  WriteFile(File("a/sub/x"), "old");
  WriteFile(File("a/mine"), "mine");
  AtomicFolder folder(File("a"), Replace::kYes);
  fs::create_directories(folder.temporary() / "sub");
  fs::create_directories(folder.temporary() / "other");
  std::ofstream(folder.temporary() / "sub/x") << "new";
  std::ofstream(folder.temporary() / "other/y") << "y";
  folder.CommitInto();
  EXPECT_EQ(Content("a/sub/x"), "new");
  EXPECT_EQ(Content("a/other/y"), "y");
  EXPECT_EQ(Content("a/mine"), "mine");
  EXPECT_EQ(Names(), std::vector<std::string>{"a"});
}

TEST_F(AtomicFileTest, MissingFolders) {
  ExpectOneLineError(Exit::kNotFound, "absent", [&] { WriteFile(File("absent/a"), "text"); });
  ExpectOneLineError(Exit::kNotFound, "absent", [&] { ReadFile(File("absent"), 1); });
  ExpectOneLineError(Exit::kNotFound, "absent", [&] { ListFolder(File("absent")); });
  WriteFile(File("file"), "text");
  ExpectOneLineError(Exit::kUsage, "file: is a regular file, expected a folder",
                     [&] { MakeFolders(File("file/sub")); });
  MakeFolders(File("a/b/c"));
  MakeFolders(File("a/b/c"));
  EXPECT_TRUE(IsFolder(File("a/b/c")));
  EXPECT_EQ(ListTree(folder_), std::vector<fs::path>{File("file")});
}

TEST(FileErrorTest, ExitCodesAndSentences) {
  struct Row {
    int reason;
    Exit read, write;
    const char* words;
  };
  const Row rows[] = {
      {ENOSPC, Exit::kBadInput, Exit::kNotWritten, ""},
      {EDQUOT, Exit::kBadInput, Exit::kNotWritten, ""},
      {EIO, Exit::kBadInput, Exit::kNotWritten, "the device failed"},
      {EFBIG, Exit::kBadInput, Exit::kNotWritten, ""},
      {EPIPE, Exit::kBadInput, Exit::kNotWritten, ""},
      {EACCES, Exit::kNotAllowed, Exit::kNotAllowed, "no permission"},
      {EPERM, Exit::kNotAllowed, Exit::kNotAllowed, "no permission"},
      {ENOENT, Exit::kNotFound, Exit::kNotFound, "no such file or folder"},
      {ENOMEM, Exit::kOutOfMemory, Exit::kOutOfMemory, "out of memory"},
      {ENAMETOOLONG, Exit::kBadInput, Exit::kBadInput, "too long"},
      {EMFILE, Exit::kBadInput, Exit::kNotWritten, "open files"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.reason);
    EXPECT_EQ(ExpectOneLineError(row.read, row.words, [&] { ThrowUnreadable("a.mp4", row.reason); }),
              "a.mp4");
    EXPECT_EQ(ExpectOneLineError(row.write, row.words, [&] { ThrowUnwritable("a.mp4", row.reason); }),
              "a.mp4");
  }
  ExpectOneLineError(Exit::kNotWritten, "a.mp4: cannot be written: the disk is full",
                     [&] { ThrowUnwritable("a.mp4", ENOSPC); });
  ExpectOneLineError(Exit::kNotAllowed, "a.mp4: cannot be written: the file system is read-only",
                     [&] { ThrowUnwritable("a.mp4", EROFS); });
}

}  // namespace
}  // namespace mvd
