// Clips from shards: the order, the ranks, the position, and what is skipped.
#include "mvd/data/shard_source.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "mvd/base/error.h"
#include "mvd/data/tar_testing.h"

namespace mvd {
namespace {

constexpr int kHeight = 2, kWidth = 3, kFrames = 2;

// Sample `id`: every byte is its number.
std::string Sample(int id, int frames = kFrames, const char* extra = "") {
  const std::string key = StrCat("k", id);
  const std::string json = StrCat(
      "{\"frames\":", frames, ",\"height\":2,\"width\":3,\"fps\":7.5,\"motion_bucket_id\":", id, extra, "}");
  return Member(key + ".rgb", std::string(size_t(frames) * kHeight * kWidth * 3, char(id))) +
         Member(key + ".json", json);
}

class ShardSourceTest : public TarScratchTest {
 protected:
  void Shards(const std::vector<std::string>& bodies, const std::string& hash = "abc1") {
    std::string list;
    for (size_t i = 0; i < bodies.size(); ++i) {
      WriteText(folder_ / StrCat("s", i, ".tar"), bodies[i]);
      list += StrCat(i ? "," : "", "{\"file\":\"s", i, ".tar\",\"samples\":2,\"bytes\":", bodies[i].size(),
                     ",\"xxh128\":\"", i, "a\"}");
    }
    WriteText(folder_ / kShardsFile,
              StrCat("{\"format\":\"", kShardsFormat, "\",\"height\":2,\"width\":3,\"frames\":2,\"fps\":7.5,",
                     "\"clips\":5,\"pictures\":0,\"hash\":\"", hash, "\",\"shards\":[", list, "]}"));
  }
  // Three shards of 1, 4 and 2 samples: ids 0 to 6.
  void UnevenShards() {
    Shards({Sample(0) + kTarEnd, Sample(1) + Sample(2) + Sample(3) + Sample(4) + kTarEnd,
            Sample(5) + Sample(6) + kTarEnd});
  }
  std::unique_ptr<ClipSource> Open(int rank = 0, int ranks = 1, uint64_t seed = 1,
                                   ShardEntries entries = ShardEntries::kClips) {
    return MakeShardSource({.folder = folder_,
                            .seed = seed,
                            .rank = rank,
                            .ranks = ranks,
                            .entries = entries,
                            .on_skip = [this](const std::string& line) { lines_.push_back(line); }});
  }
  static std::vector<int> Ids(ClipSource& source, int count) {
    std::vector<int> ids;
    for (int i = 0; i < count; ++i) ids.push_back(int(source.Next().pixels.at(0)));
    return ids;
  }
  void Fails(const std::string& words) {
    try {
      Open();
      FAIL() << "no error, expected: " << words;
    } catch (const Error& error) {
      EXPECT_EQ(error.exit(), Exit::kBadInput);
      EXPECT_NE(std::string(error.what()).find(words), std::string::npos) << error.what();
    }
  }

  std::vector<std::string> lines_;
};

TEST_F(ShardSourceTest, GivesWhatIsStored) {
  UnevenShards();
  const TrainingClip clip = Open()->Next();
  EXPECT_EQ(clip.frames, kFrames);
  EXPECT_EQ(clip.height, kHeight);
  EXPECT_EQ(clip.width, kWidth);
  EXPECT_EQ(clip.fps, 7.5);
  const int id = clip.pixels[0];
  EXPECT_EQ(clip.motion_bucket_id, id);
  EXPECT_EQ(clip.pixels, std::vector<uint8_t>(36, uint8_t(id)));
  EXPECT_NE(clip.name.find(StrCat(".tar:k", id)), std::string::npos) << clip.name;
}

// As `cat a.tar b.tar` or a second writer leave it: one key, two clips.
TEST_F(ShardSourceTest, TheSecondSampleOfAKeyIsSkippedAndCounted) {
  const std::string twice = Sample(1) + Sample(2) + Sample(2, kFrames, ",\"again\":1");
  Shards({twice + kTarEnd, Sample(3) + Sample(1) + kTarEnd});
  auto source = Open();
  const auto ids = Ids(*source, 3);
  EXPECT_EQ(std::set<int>(ids.begin(), ids.end()), (std::set<int>{1, 2, 3}));
  EXPECT_EQ(source->Skipped(), 2);
  ASSERT_EQ(lines_.size(), 2u);
  EXPECT_NE(lines_[0].find("s0.tar: sample 'k2' is there already, in s0.tar"), std::string::npos)
      << lines_[0];
  EXPECT_NE(lines_[1].find("s1.tar: sample 'k1' is there already, in s0.tar"), std::string::npos)
      << lines_[1];
  EXPECT_EQ(Ids(*Open(), 3), ids);  // three clips an epoch, not five
}

TEST_F(ShardSourceTest, AnEpochHoldsEachOnceAndTheNextIsInAnotherOrder) {
  UnevenShards();
  auto source = Open();
  const auto first = Ids(*source, 7), second = Ids(*source, 7);
  EXPECT_EQ(std::set<int>(first.begin(), first.end()).size(), 7u);
  EXPECT_EQ(std::set<int>(second.begin(), second.end()).size(), 7u);
  // Two shuffles of 7 agree once in 5040; the seed is one for which they do not.
  EXPECT_NE(first, second);
  EXPECT_EQ(Ids(*Open(), 7), first);
  EXPECT_NE(Ids(*Open(0, 1, 2), 7), first);
}

TEST_F(ShardSourceTest, RanksPartAnEpochAndGetEqualCounts) {
  UnevenShards();
  for (const int ranks : {2, 3, 4, 7, 10}) {
    const int rounds = (7 + ranks - 1) / ranks;
    auto whole = Open();
    for (int epoch = 0; epoch < 3; ++epoch) {
      const auto order = Ids(*whole, 7);
      for (int rank = 0; rank < ranks; ++rank) {
        auto source = Open(rank, ranks);
        Ids(*source, epoch * rounds);
        const auto part = Ids(*source, rounds);
        for (int i = 0; i < rounds; ++i) EXPECT_EQ(part[size_t(i)], order[size_t((i * ranks + rank) % 7)]);
      }
    }
  }
}

TEST_F(ShardSourceTest, ResumesAtTheExactSampleOnEveryRank) {
  UnevenShards();
  for (int taken = 0; taken < 18; ++taken) {
    auto first = Open(0, 2);
    Ids(*first, taken);
    const std::string position = first->Position();
    EXPECT_EQ(position.find('\n'), std::string::npos);
    for (int rank = 0; rank < 2; ++rank) {
      auto straight = Open(rank, 2);
      Ids(*straight, taken);
      auto resumed = Open(rank, 2);
      resumed->Seek(position);
      EXPECT_EQ(resumed->Position(), position);
      EXPECT_EQ(Ids(*resumed, 9), Ids(*straight, 9)) << taken;
    }
  }
}

TEST_F(ShardSourceTest, SeeksBackwardsToo) {
  UnevenShards();
  auto source = Open();
  const std::string start = source->Position();
  const auto ids = Ids(*source, 10);
  source->Seek(start);
  EXPECT_EQ(Ids(*source, 10), ids);
}

TEST_F(ShardSourceTest, ForeignPositionsAreRefused) {
  UnevenShards();
  const std::string position = Open(0, 2)->Position();
  EXPECT_THROW(Open(0, 3)->Seek(position), Error);
  EXPECT_THROW(Open(0, 2, 9)->Seek(position), Error);
  EXPECT_THROW(Open(0, 2)->Seek(position + " 1"), Error);
  EXPECT_THROW(Open(0, 2)->Seek("synth 1 2 3"), Error);
  EXPECT_THROW(Open(0, 2)->Seek(""), Error);
  Shards({Sample(0) + Sample(1) + kTarEnd}, "abc2");
  EXPECT_THROW(Open(0, 2)->Seek(position), Error);
}

TEST_F(ShardSourceTest, BrokenSamplesAreReportedOnceAndReplacedWithoutAShift) {
  Shards({Sample(0) + Sample(1, kFrames, ",}") + Sample(2) + kTarEnd,
          Sample(3) + Member("k4.rgb", std::string(36, char(4))) + Sample(5) + kTarEnd});
  auto source = Open();
  EXPECT_EQ(source->Skipped(), 1);  // k4 has no JSON: seen when the list is made
  std::map<int, int> seen;
  for (const int id : Ids(*source, 15)) ++seen[id];  // three epochs of five
  EXPECT_EQ(source->Skipped(), 2);
  ASSERT_EQ(lines_.size(), 2u);
  EXPECT_NE(lines_[0].find("s1.tar: sample 'k4' lacks its .json"), std::string::npos) << lines_[0];
  EXPECT_NE(lines_[1].find("s0.tar:k1"), std::string::npos) << lines_[1];
  EXPECT_EQ(seen.count(1), 0u);
  EXPECT_EQ(seen.count(4), 0u);
  for (const int id : {0, 2, 3, 5}) EXPECT_GE(seen[id], 3) << id;
}

TEST_F(ShardSourceTest, AShardOfAnotherSizeIsReportedAndSkipped) {
  Shards({Sample(0) + Sample(1) + kTarEnd, Sample(2) + kTarEnd});
  std::filesystem::resize_file(folder_ / "s0.tar", 1500);
  auto source = Open();
  EXPECT_EQ(source->Skipped(), 2);
  ASSERT_EQ(lines_.size(), 1u);
  EXPECT_NE(lines_[0].find("s0.tar: is damaged: 1500 bytes, shards.json says 5120"), std::string::npos)
      << lines_[0];
  EXPECT_EQ(Ids(*source, 2), (std::vector<int>{2, 2}));
}

TEST_F(ShardSourceTest, AShardOfAnotherHashIsReportedOnceAndSkipped) {
  UnevenShards();
  std::map<std::string, int> asked;
  auto source =
      MakeShardSource({.folder = folder_,
                       .seed = 1,
                       .hash_file =
                           [&](const std::filesystem::path& path) {
                             const std::string name = path.filename();
                             ++asked[name];
                             return name == "s1.tar" ? std::string("bad") : StrCat(name.substr(1, 1), "a");
                           },
                       .on_skip = [this](const std::string& line) { lines_.push_back(line); }});
  EXPECT_TRUE(asked.empty());  // nothing is read before it is needed
  const auto ids = Ids(*source, 21);
  EXPECT_EQ(std::set<int>(ids.begin(), ids.end()), (std::set<int>{0, 5, 6}));
  EXPECT_EQ(source->Skipped(), 4);
  ASSERT_EQ(lines_.size(), 1u);
  EXPECT_NE(lines_[0].find("s1.tar: is damaged: xxh128 bad, shards.json says 1a; its 4 clips are skipped"),
            std::string::npos)
      << lines_[0];
  EXPECT_EQ(asked, (std::map<std::string, int>{{"s0.tar", 1}, {"s1.tar", 1}, {"s2.tar", 1}}));
}

TEST_F(ShardSourceTest, ASampleOfOtherPixelsIsReportedAndSkipped) {
  Shards({Sample(0, kFrames, ",\"content_hash\":\"0\"") + Sample(1, kFrames, ",\"content_hash\":\"2\"") +
          Sample(2) + kTarEnd});
  auto source = MakeShardSource(
      {.folder = folder_,
       .seed = 1,
       .hash_bytes = [](const void* data, size_t) { return StrCat(int(*static_cast<const char*>(data))); },
       .on_skip = [this](const std::string& line) { lines_.push_back(line); }});
  EXPECT_EQ(Ids(*source, 3), (std::vector<int>{0, 0, 0}));
  EXPECT_EQ(source->Skipped(), 2);
  std::sort(lines_.begin(), lines_.end());
  ASSERT_EQ(lines_.size(), 2u);
  EXPECT_NE(lines_[0].find("s0.tar:k1: is damaged: its pixels hash to 1, its JSON says 2"),
            std::string::npos);
  EXPECT_NE(lines_[1].find("s0.tar:k2: key 'content_hash'"), std::string::npos) << lines_[1];
}

TEST_F(ShardSourceTest, AShardThatNobodyCanReadAnyMoreIsSkippedSampleBySample) {
  UnevenShards();
  auto source = Open();
  std::filesystem::remove(folder_ / "s1.tar");
  const auto ids = Ids(*source, 14);
  EXPECT_EQ(std::set<int>(ids.begin(), ids.end()), (std::set<int>{0, 5, 6}));
  EXPECT_EQ(source->Skipped(), 4);
}

TEST_F(ShardSourceTest, WrongNumbersAreNamed) {
  const auto only = [&](const std::string& json, size_t bytes = 36) {
    Shards({Member("k.rgb", std::string(bytes, 'a')) + Member("k.json", json) + kTarEnd});
    lines_.clear();
    EXPECT_THROW(Open()->Next(), Error);
    ASSERT_EQ(lines_.size(), 1u) << json;
  };
  only(R"({"frames":3,"height":2,"width":3,"fps":7,"motion_bucket_id":1})");
  EXPECT_NE(lines_[0].find("has 36 bytes of pixels, 54 are expected"), std::string::npos) << lines_[0];
  only(R"({"frames":2,"height":3,"width":2,"fps":7,"motion_bucket_id":1})");
  only(R"({"frames":18446744073709551615,"height":2,"width":3,"fps":7,"motion_bucket_id":1})");
  only(R"({"frames":-1,"height":2,"width":3,"fps":7,"motion_bucket_id":1})");
  only(R"({"frames":2,"height":2,"width":3,"fps":0,"motion_bucket_id":1})");
  only(R"({"frames":2,"height":2,"width":3,"fps":7,"motion_bucket_id":256})");
  only(R"({"frames":2,"height":2,"width":3,"fps":7})");
  only("[]");
  only("");
}

TEST_F(ShardSourceTest, PicturesAndClipsAreToldApart) {
  Shards({Sample(0) + Sample(1, 1) + Sample(2) + Sample(3, 1) + kTarEnd});
  auto clips = Open(), pictures = Open(0, 1, 1, ShardEntries::kPictures),
       all = Open(0, 1, 1, ShardEntries::kAll);
  const auto c = Ids(*clips, 2), p = Ids(*pictures, 2), a = Ids(*all, 4);
  EXPECT_EQ(std::set<int>(c.begin(), c.end()), (std::set<int>{0, 2}));
  EXPECT_EQ(std::set<int>(p.begin(), p.end()), (std::set<int>{1, 3}));
  EXPECT_EQ(std::set<int>(a.begin(), a.end()), (std::set<int>{0, 1, 2, 3}));
}

TEST_F(ShardSourceTest, BadFoldersAreErrors) {
  Fails("has no shards.json");
  WriteText(folder_ / kShardsFile, "{");
  Fails("is not a JSON object");
  UnevenShards();
  std::filesystem::remove(folder_ / "s1.tar");
  Fails("s1.tar: is absent");
  Shards({kTarEnd});
  Fails("holds no clip");
  Shards({Sample(0) + kTarEnd}, "not hex");
  Fails("'hash'");
  WriteText(folder_ / kShardsFile,
            StrCat("{\"format\":\"", kShardsFormat, "\",\"height\":2,\"width\":3,\"frames\":2,",
                   "\"fps\":7,\"clips\":1,\"pictures\":0,\"hash\":\"a\",",
                   "\"shards\":[{\"file\":\"../s0.tar\"}]}"));
  Fails("plain name");
  WriteText(folder_ / kShardsFile,
            StrCat("{\"format\":\"", kShardsFormat, "\",\"height\":2,\"width\":3,\"frames\":2,",
                   "\"fps\":7,\"clips\":1,\"pictures\":0,\"hash\":\"a\",",
                   "\"shards\":[{\"file\":\"s0.tar\",\"bytes\":1}]}"));
  Fails("key 'xxh128'");
  try {
    MakeShardSource({.folder = folder_ / "absent"});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.exit(), Exit::kNotFound);
  }
}

}  // namespace
}  // namespace mvd
