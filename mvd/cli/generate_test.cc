#include <gtest/gtest.h>

#include "mvd/base/atomic_file.h"
#include "mvd/base/error_testing.h"
#include "mvd/cli/generate_plan.h"
#include "mvd/cli/generate_recipe.h"
#include "mvd/cli/picture.h"

namespace mvd::cli {
namespace {

namespace fs = std::filesystem;

// A folder `photos` with one picture, p.jpg; planning does not look into it.
class PlanTest : public ::testing::Test {
 protected:
  PlanTest() {
    fs::create_directories(folder_ / "photos");
    WriteFile(folder_ / "photos/p.jpg", "");
  }
  ~PlanTest() override { fs::remove_all(folder_); }

  std::string Path(const std::string& name) const { return (folder_ / name).string(); }
  // Of the one clip.
  std::string Target(const std::string& input, const std::string& output, const std::string& format) const {
    const Plan plan = PlanJobs({{Path(input)}, Path(output), format});
    EXPECT_EQ(plan.jobs.size(), 1u);
    return fs::path(plan.jobs.at(0).target).lexically_relative(folder_).string();
  }

  fs::path folder_ = fs::path(::testing::TempDir()) / "plan_test";
};

TEST_F(PlanTest, OnePictureGoesToTheFileNamed) {
  EXPECT_EQ(Target("photos/p.jpg", "a.y4m", ""), "a.y4m");
  EXPECT_EQ(Target("photos/p.jpg", "a.safetensors", ""), "a.safetensors");
  EXPECT_EQ(Target("photos/p.jpg", "frames", "png"), "frames");
}

TEST_F(PlanTest, AFolderGetsAClipForEachPicture) {
  EXPECT_EQ(Target("photos", "clips", "y4m"), "clips/p.y4m");
  EXPECT_EQ(Target("photos/p.jpg", "clips/", "y4m"), "clips/p.y4m");
  EXPECT_EQ(Target("photos/p.jpg", "clips", "y4m"), "clips/p.y4m");
  EXPECT_EQ(Target("photos/p.jpg", "photos", "y4m"), "photos/p.y4m");
  EXPECT_EQ(Target("photos", "clips", "png"), "clips/p");
  EXPECT_EQ(Target("photos", "clips", "latents"), "clips/p.safetensors");
}

TEST_F(PlanTest, WhatExistsIsReplacedOrSkippedOnRequestOnly) {
  WriteFile(folder_ / "a.y4m", "a clip");
  PlanRequest request{{Path("photos/p.jpg")}, Path("a.y4m"), ""};
  ExpectOneLineError(Exit::kUsage, "exists", [&] { PlanJobs(request); });
  request.skip_existing = true;
  EXPECT_EQ(PlanJobs(request).skipped.size(), 1u);
  request.overwrite = true;
  ExpectOneLineError(Exit::kUsage, "exclude each other", [&] { PlanJobs(request); });
  request.skip_existing = false;
  EXPECT_EQ(PlanJobs(request).jobs.size(), 1u);
}

TEST(CropNote, SaysHowMuchIsCut) {
  EXPECT_EQ(CropNote(451, 300, 128, 64),
            "the picture is 3:2, the clip 2:1: 25 % of the height is cut; --fit pad keeps all");
  EXPECT_EQ(CropNote(1920, 1080, 1024, 576), "");
  EXPECT_EQ(CropNote(3000, 1000, 100, 100),
            "the picture is 3:1, the clip 1:1: 67 % of the width is cut; --fit pad keeps all");
}

TEST(Recipe, NamesNoPlaceOnThisMachine) {
  EXPECT_EQ(ModelForRecipe("demo"), "demo");
  EXPECT_EQ(ModelForRecipe("models/svd"), "models/svd");
  EXPECT_EQ(ModelForRecipe("/home/me/models/svd/"), "svd");
  EXPECT_EQ(ParseRecipe(R"({"options": {}, "image": "/home/me/p.jpg"})", "a.mp4").image, "p.jpg");
}

TEST(Recipe, RefusesOtherTypesAndControlCharacters) {
  for (const char* text : {R"({"options": {}, "model": 5})", R"({"options": {}, "model": "a\u001b[2J"})"})
    ExpectOneLineError(Exit::kBadInput, "key 'model'", [&] { ParseRecipe(text, "a.mp4"); });
  ExpectOneLineError(Exit::kBadInput, "carries no recipe", [&] { ParseRecipe("{}", "a.mp4"); });
}

}  // namespace
}  // namespace mvd::cli
