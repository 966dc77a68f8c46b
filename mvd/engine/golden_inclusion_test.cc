// The component `inclusion_probabilities` of `check`: met, missed, and refused, without any model.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "mvd/base/error.h"
#include "mvd/engine/golden.h"
#include "mvd/io/safetensors.h"

namespace mvd {
namespace {

namespace fs = std::filesystem;

class InclusionGoldenTest : public testing::Test {
 protected:
  void TearDown() override { fs::remove(path_); }

  GoldenReport Run(const std::vector<float>& importance, const std::vector<float>& want,
                   const std::string& budget) {
    std::map<std::string, std::string> metadata = {{"component", "inclusion_probabilities"}};
    if (!budget.empty()) metadata["budget"] = budget;
    const Tensor q = Tensor::FromVector({int64_t(importance.size())}, importance);
    const Tensor p = Tensor::FromVector({int64_t(want.size())}, want);
    WriteSafetensors(path_, {{"input.importance", q.view()}, {"output.probabilities", p.view()}}, metadata);
    return RunGolden("", path_, NetworkOptions{});
  }
  void ExpectBadInput(const std::vector<float>& importance, const std::string& budget,
                      const std::string& part) {
    try {
      Run(importance, importance, budget);
      ADD_FAILURE() << "no error for budget '" << budget << "'";
    } catch (const Error& e) {
      EXPECT_EQ(e.exit(), Exit::kBadInput) << e.what();
      EXPECT_EQ(e.file(), path_.string());
      EXPECT_NE(std::string(e.what()).find(part), std::string::npos) << e.what();
    }
  }

  fs::path path_ = fs::temp_directory_path() / ("mvd_inclusion_" + std::to_string(getpid()) + ".safetensors");
};

TEST_F(InclusionGoldenTest, TellsRightFromWrong) {
  // By hand: A35 at t = 2 gives the two small ones half each.
  EXPECT_LE(Run({1, 4, 1}, {0.5f, 1, 0.5f}, "2").worst(), 1e-7);
  EXPECT_GT(Run({1, 4, 1}, {0.4f, 1, 0.6f}, "2").worst(), 0.05);
}

TEST_F(InclusionGoldenTest, RefusesBadFiles) {
  ExpectBadInput({1, 4, 1}, "", "metadata key 'budget' is missing");
  ExpectBadInput({1, 4, 1}, "0", "metadata key 'budget' is 0, expected an integer from 1 to 3");
  ExpectBadInput({1, 4, 1}, "4", "metadata key 'budget' is 4, expected an integer from 1 to 3");
  ExpectBadInput({1, 4, 1}, "1.5", "metadata key 'budget'");
  ExpectBadInput({1, 0, 1}, "1", "importance 1 is 0, expected a finite number above 0");
  ExpectBadInput({}, "1", "at least one element");
}

}  // namespace
}  // namespace mvd
