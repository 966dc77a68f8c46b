#include "mvd/base/nearest.h"

#include <gtest/gtest.h>

#include <vector>

namespace mvd {
namespace {

TEST(Nearest, CountsEditsAndSwaps) {
  EXPECT_EQ(EditDistance("", "abc"), 3);
  EXPECT_EQ(EditDistance("generate", "generate"), 0);
  EXPECT_EQ(EditDistance("generat", "generate"), 1);
  EXPECT_EQ(EditDistance("genreate", "generate"), 1);  // a swap
  EXPECT_EQ(EditDistance("kitten", "sitting"), 3);
}

TEST(Nearest, OffersOnlyWhatIsNear) {
  const std::vector<std::string> words = {"generate", "inspect", "cost", "check"};
  EXPECT_EQ(NearestWord("generat", words), "generate");
  EXPECT_EQ(NearestWord("chekc", words), "check");
  EXPECT_EQ(NearestWord("xylophone", words), "");
  EXPECT_EQ(NearestWord("q", words), "");
  EXPECT_EQ(DidYouMean("coost", words), ", did you mean 'cost'?");
  EXPECT_EQ(DidYouMean("xylophone", words), "");
  EXPECT_EQ(NearestWord(std::string(1 << 20, 'a'), words), "");  // takes no time
}

}  // namespace
}  // namespace mvd
