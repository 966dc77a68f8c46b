// The tar reader against files that lie.
#include "mvd/data/tar_reader.h"

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>

#include "mvd/base/error.h"
#include "mvd/data/tar_testing.h"

namespace mvd {
namespace {

class TarTest : public TarScratchTest {
 protected:
  TarListing List(const std::string& bytes) {
    const auto path = folder_ / "a.tar";
    WriteText(path, bytes);
    return ListTar(path);
  }
  // One good member before and one behind whatever `middle` is.
  TarListing Around(const std::string& middle) {
    return List(Member("first", "1") + middle + Member("last", "3") + kTarEnd);
  }
};

TEST_F(TarTest, ListsMembersAndReadsThem) {
  const std::string long_name(120, 'n');
  const TarListing listing =
      List(Member("a.rgb", std::string(513, 'x')) + Header("folder/", 0, '5') + Member("b/c.json", "{}") +
           Member("", "p", '0', "prefix/" + long_name.substr(0, 100)) + Member("empty", "") + kTarEnd);
  EXPECT_EQ(listing.problems.size(), 1u) << "a name that ends in '/' but is a file";
  ASSERT_EQ(listing.members.size(), 3u);
  EXPECT_EQ(listing.members[0].name, "a.rgb");
  EXPECT_EQ(listing.members[0].offset, 512u);
  EXPECT_EQ(listing.members[0].size, 513u);
  EXPECT_EQ(listing.members[1].name, "b/c.json");
  std::string text(2, ' ');
  ReadRange(folder_ / "a.tar", listing.members[1].offset, 2, text.data());
  EXPECT_EQ(text, "{}");
  EXPECT_EQ(listing.members[2].size, 0u);
}

TEST_F(TarTest, PrefixAndNameAreJoined) {
  const TarListing listing = List(Member("name", "1", '0', "some/prefix") + kTarEnd);
  ASSERT_EQ(listing.members.size(), 1u);
  EXPECT_EQ(listing.members[0].name, "some/prefix/name");
}

TEST_F(TarTest, BadNamesCostOnlyTheirMember) {
  for (const char* name : {"../up", "a/../b", "/absolute", "a/./b", "a//b", "a\\b", "tab\tname", ".."}) {
    const TarListing listing = Around(Member(name, "2"));
    ASSERT_EQ(listing.members.size(), 2u) << name;
    EXPECT_EQ(listing.members[1].name, "last");
    ASSERT_EQ(listing.problems.size(), 1u) << name;
    EXPECT_EQ(listing.problems[0].find('\t'), std::string::npos);
  }
}

TEST_F(TarTest, LinksAndDevicesCostOnlyTheirMember) {
  for (const char type : {'1', '2', '3', '6', 'x', 'L'}) {
    const TarListing listing = Around(Member("odd", "2", type));
    EXPECT_EQ(listing.members.size(), 2u) << type;
    EXPECT_EQ(listing.problems.size(), 1u) << type;
  }
}

TEST_F(TarTest, NothingBehindADamagedHeaderIsBelieved) {
  std::string wrong_sum = Member("middle", "2");
  wrong_sum[3] ^= 1;
  std::string no_magic = Header("middle", 1, '0');
  no_magic[257] = 'X';
  for (const std::string& middle : {wrong_sum, Sealed(no_magic) + Padded("2"), std::string(512, 'r')}) {
    const TarListing listing = Around(middle);
    ASSERT_EQ(listing.members.size(), 1u);
    EXPECT_EQ(listing.members[0].name, "first");
    ASSERT_EQ(listing.problems.size(), 1u);
    EXPECT_NE(listing.problems[0].find("a.tar: damaged tar header at byte 1024"), std::string::npos)
        << listing.problems[0];
  }
}

TEST_F(TarTest, SizesAreChecked) {
  const auto with_size = [](const char* field) {
    std::string header = Header("middle", 0, '0');
    std::memcpy(header.data() + 124, field, 12);
    return Sealed(header);
  };
  // 8 GiB less a byte, no number, base 256, a minus sign, digits behind a gap.
  for (const char* field : {"77777777777", "00000000008", "\x80\0\0\0\0\0\0\0\0\0\x01", "-0000000001",
                            "1 000000000", "           ", "777777777777"}) {
    const TarListing listing = Around(with_size(field));
    EXPECT_EQ(listing.members.size(), 1u) << field;
    EXPECT_EQ(listing.problems.size(), 1u) << field;
  }
}

TEST_F(TarTest, TruncationAnywhereIsAProblemAndNeverMore) {
  const std::string whole = Member("a", std::string(700, 'x')) + Member("b", "2") + kTarEnd;
  const size_t end_mark = whole.size() - 1024;
  for (size_t size = 0; size < end_mark + 512; size += 37) {
    const TarListing listing = List(whole.substr(0, size));
    EXPECT_EQ(listing.problems.size(), 1u) << size;
    EXPECT_EQ(listing.members.size(), size >= 2049 ? 2u : size >= 1212 ? 1u : 0u) << size;
  }
  // The second block of zeros is not waited for.
  EXPECT_TRUE(List(whole.substr(0, end_mark + 512)).problems.empty());
}

TEST_F(TarTest, MissingFileAndShrunkFile) {
  EXPECT_THROW(ListTar(folder_ / "absent.tar"), Error);
  WriteText(folder_ / "short", "abc");
  char to[8];
  EXPECT_THROW(ReadRange(folder_ / "short", 0, 8, to), Error);
}

}  // namespace
}  // namespace mvd
