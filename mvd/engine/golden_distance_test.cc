// The components `frechet` and `kernel_distance` of `check`: met, missed, and refused, without any model.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "mvd/base/error.h"
#include "mvd/engine/golden.h"
#include "mvd/io/safetensors.h"

namespace mvd {
namespace {

namespace fs = std::filesystem;

class DistanceGoldenTest : public testing::Test {
 protected:
  void TearDown() override { fs::remove(path_); }

  GoldenReport Run(const std::string& component, const Tensor& real, const Tensor& fake, float want) {
    const Tensor distance = Tensor::FromVector(Shape{}, std::vector<float>{want});
    WriteSafetensors(
        path_,
        {{"input.real", real.view()}, {"input.fake", fake.view()}, {"output.distance", distance.view()}},
        {{"component", component}});
    return RunGolden("", path_, NetworkOptions{});
  }

  fs::path path_ = fs::temp_directory_path() / ("mvd_distance_" + std::to_string(getpid()) + ".safetensors");
};

Tensor Column(const std::vector<float>& values) {
  return Tensor::FromVector({int64_t(values.size()), 1}, values);
}

TEST_F(DistanceGoldenTest, TellsRightFromWrong) {
  // Means 1 and 5, deviations 1 and 3 (frechet_test.cc).
  EXPECT_LE(Run("frechet", Column({0, 2}), Column({2, 8}), 20).worst(), 1e-6);
  EXPECT_GT(Run("frechet", Column({0, 2}), Column({2, 8}), 19).worst(), 0.01);
  EXPECT_LE(Run("kernel_distance", Column({1, 3}), Column({2}), 100).worst(), 1e-6);
}

TEST_F(DistanceGoldenTest, RefusesOtherColumns) {
  try {
    Run("frechet", Column({0, 2}), Tensor::FromVector({1, 2}, std::vector<float>{1, 2}), 0);
    ADD_FAILURE() << "no error";
  } catch (const Error& e) {
    EXPECT_EQ(e.exit(), Exit::kBadInput);
    EXPECT_EQ(e.file(), path_.string());
    EXPECT_NE(std::string(e.what()).find("fake features have 2 columns, expected the real ones' 1"),
              std::string::npos)
        << e.what();
  }
}

}  // namespace
}  // namespace mvd
