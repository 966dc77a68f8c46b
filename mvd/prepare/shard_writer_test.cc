// What the writer leaves and the training side's reader finds.
#include "mvd/prepare/shard_writer.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <set>

#include "mvd/base/atomic_file.h"
#include "mvd/base/error.h"
#include "mvd/data/shard_index.h"
#include "mvd/data/shard_source.h"
#include "mvd/data/tar_reader.h"

namespace mvd {
namespace {

namespace fs = std::filesystem;

class ShardWriterTest : public testing::Test {
 protected:
  ShardWriterTest() {
    folder_ = fs::path(testing::TempDir()) / ("mvd_shard_writer_" + std::to_string(getpid()));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  ~ShardWriterTest() override { fs::remove_all(folder_); }

  // Sample `id` of three frames of 4 x 5.
  static ShardSampleContent Sample(int id) {
    return {std::vector<uint8_t>(3 * 4 * 5 * 3, uint8_t(id)),
            {{"frames", 3}, {"height", 4}, {"width", 5}, {"fps", 7.0}, {"motion_bucket_id", id + 0.5}}};
  }
  static nlohmann::json About() {
    return {{"height", 4}, {"width", 5}, {"frames", 3}, {"fps", 7.0}, {"clips", 5}, {"pictures", 0}};
  }
  void Write(int count) {
    ShardWriter writer(folder_, 2 * 3 * 4 * 5 * 3);  // two samples a shard
    for (int id = 0; id < count; ++id) writer.Add(Sample(id));
    writer.Finish(About());
  }

  fs::path folder_;
};

TEST_F(ShardWriterTest, TheReaderFindsEverySample) {
  Write(5);
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder_)) names.insert(entry.path().filename());
  EXPECT_EQ(names, (std::set<std::string>{"shard-000000.tar", "shard-000001.tar", "shard-000002.tar",
                                          "shards.json"}));
  EXPECT_TRUE(ListTar(folder_ / "shard-000000.tar").problems.empty());
  EXPECT_EQ(ReadShardFolderInfo(folder_).clips, 5);
  const auto source = MakeShardSource({.folder = folder_});
  std::set<int> seen;
  for (int i = 0; i < 5; ++i) {
    const TrainingClip clip = source->Next();
    EXPECT_EQ(clip.pixels, std::vector<uint8_t>(180, clip.pixels[0]));
    EXPECT_EQ(clip.motion_bucket_id, clip.pixels[0] + 0.5);
    seen.insert(clip.pixels[0]);
  }
  EXPECT_EQ(seen, (std::set<int>{0, 1, 2, 3, 4}));
  EXPECT_EQ(source->Skipped(), 0);
}

TEST_F(ShardWriterTest, TheSameSamplesGiveTheSameBytesAndOthersAnotherHash) {
  Write(3);
  const std::string list = ReadFile(folder_ / kShardsFile, 1 << 20);
  const std::string shard = ReadFile(folder_ / "shard-000000.tar", 1 << 20);
  fs::remove_all(folder_);
  fs::create_directories(folder_);
  Write(3);
  EXPECT_EQ(ReadFile(folder_ / kShardsFile, 1 << 20), list);
  EXPECT_EQ(ReadFile(folder_ / "shard-000000.tar", 1 << 20), shard);
  const std::string position = MakeShardSource({.folder = folder_})->Position();
  Write(4);
  EXPECT_THROW(MakeShardSource({.folder = folder_})->Seek(position), Error);
}

TEST_F(ShardWriterTest, WithoutItsEndNothingLooksWhole) {
  {
    ShardWriter writer(folder_, 1 << 20);
    writer.Add(Sample(1));
  }
  EXPECT_TRUE(fs::is_empty(folder_));
  EXPECT_THROW(MakeShardSource({.folder = folder_}), Error);
}

TEST_F(ShardWriterTest, NoFileIsReplacedAndTheFirstSetStaysWholeToTheEnd) {
  Write(5);
  WriteFile(folder_ / "shard-000004.tar", "mine");
  const std::string list = ReadFile(folder_ / kShardsFile, 1 << 20);
  const std::string shard = ReadFile(folder_ / "shard-000000.tar", 1 << 20);
  ShardWriter writer(folder_, 2 * 3 * 4 * 5 * 3);
  for (int id = 10; id < 14; ++id) writer.Add(Sample(id));
  EXPECT_EQ(ReadFile(folder_ / kShardsFile, 1 << 20), list);
  writer.Finish(About());
  EXPECT_EQ(ReadFile(folder_ / "shard-000000.tar", 1 << 20), shard);
  EXPECT_EQ(ReadFile(folder_ / "shard-000004.tar", 1 << 20), "mine");
  const std::vector<ShardFile> shards = ReadShardList(folder_);
  ASSERT_EQ(shards.size(), 2u);  // two numbers in a row were free from 5 on
  EXPECT_EQ(shards[0].path.filename(), "shard-000005.tar");
  EXPECT_GE(MakeShardSource({.folder = folder_})->Next().pixels[0], 10);
}

TEST_F(ShardWriterTest, AFailureAtTheEndLeavesNothing) {
  fs::create_directory(folder_ / kShardsFile);  // it cannot be replaced by a file
  WriteFile(folder_ / kShardsFile / "mine", "");
  {
    ShardWriter writer(folder_, 2 * 3 * 4 * 5 * 3);
    for (int id = 0; id < 3; ++id) writer.Add(Sample(id));
    EXPECT_THROW(writer.Finish(About()), Error);
  }
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()), 1);
}

TEST_F(ShardWriterTest, WhatAKilledWriterLeftIsSweptAndALivingOnesIsNot) {
  const pid_t child = fork();
  if (child == 0) _exit(0);
  ASSERT_EQ(waitpid(child, nullptr, 0), child);
  const fs::path dead = folder_ / StrCat(".shards.new.", child, "-0123456789abcdef.part"),
                 alive = folder_ / ".shards.new.1-0123456789abcdef.part";
  for (const fs::path& path : {dead, alive}) {
    fs::create_directory(path);
    WriteFile(path / "shard-000000.tar", "half");
  }
  Write(1);
  EXPECT_FALSE(fs::exists(dead));
  EXPECT_TRUE(fs::exists(alive));
}

TEST_F(ShardWriterTest, AFolderThatIsGoneIsAnError) {
  EXPECT_THROW(ShardWriter(folder_ / "absent", 1 << 20), Error);
}

}  // namespace
}  // namespace mvd
