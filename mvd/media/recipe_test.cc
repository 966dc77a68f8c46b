// The recipe survives every format that promises to carry it.
#include <fstream>

#include "mvd/base/atomic_file.h"
#include "mvd/media/media_testing.h"

namespace mvd {
namespace {

using RecipeTest = ScratchTest;

// Quotes, markup, UTF-8, control escapes, and 8 KB: more than one block of every container.
std::string HardRecipe() {
  std::string text = R"({"prompt":"say \"hi\" <b>&amp;</b> ]]> Grüße 日本 🎬 \n","noise":")";
  while (text.size() < 8192) text += "k" + std::to_string(text.size() % 97);
  return text + "\",\n\t\"end\": ' }";
}

TEST_F(RecipeTest, ComesBackFromEveryFormat) {
  const std::string recipe = HardRecipe();
  int carried = 0;
  for (const ClipFormat& format : ClipFormats()) {
    if (format.recipe == RecipePlace::kNone) continue;
    SCOPED_TRACE(format.name);
    const auto path = File("clip_" + std::string(format.name));
    WriteClip(SmoothClip(32, 16, 3), path, format, recipe, Replace::kYes);
    EXPECT_EQ(ReadRecipe(path), recipe);
    EXPECT_EQ(ReadClip(path).frames.size(), 3u);  // and the clip is still one
    ++carried;
  }
  EXPECT_EQ(carried, 6);
}

TEST_F(RecipeTest, NothingWhereThereIsNone) {
  for (const ClipFormat& format : ClipFormats()) {
    if (format.recipe == RecipePlace::kNone) continue;
    const auto path = File("clip_" + std::string(format.name));
    WriteClip(SmoothClip(32, 16, 3), path, format, "", Replace::kYes);
    EXPECT_EQ(ReadRecipe(path), std::nullopt) << format.name;
  }
}

TEST_F(RecipeTest, ASidecarDoesNotOutliveItsClip) {
  const ClipFormat& y4m = *FindClipFormat("y4m");
  WriteClip(SmoothClip(32, 16, 3), File("a.y4m"), y4m, "{}", Replace::kYes);
  EXPECT_TRUE(std::filesystem::exists(File("a.y4m.recipe.json")));
  WriteClip(SmoothClip(32, 16, 3), File("a.y4m"), y4m, "", Replace::kYes);
  EXPECT_FALSE(std::filesystem::exists(File("a.y4m.recipe.json")));
}

TEST_F(RecipeTest, PngCarriesAnyText) {
  const std::string recipe = HardRecipe();
  WritePng(File("a.png"), SmoothImage(4, 4), {{kRecipeKey, recipe}, {"parameters", "plain"}});
  EXPECT_EQ(ReadRecipe(File("a.png")), recipe);
}

TEST_F(RecipeTest, CutAnywhereIsAnErrorOrNothingButNeverAnotherRecipe) {
  for (const char* name : {"gif", "webp", "mp4", "webm"}) {
    WriteClip(SmoothClip(16, 16, 2), File("a"), *FindClipFormat(name), "{\"a\":\"<&>\"}", Replace::kYes);
    const std::string bytes = ReadFile(File("a"), 1 << 24);
    for (size_t size = 1; size < bytes.size(); size += 1 + bytes.size() / 50) {
      std::ofstream(File("b"), std::ios::binary) << bytes.substr(0, size);
      try {
        const auto recipe = ReadRecipe(File("b"));
        EXPECT_EQ(recipe.value_or("{\"a\":\"<&>\"}"), "{\"a\":\"<&>\"}") << name << " " << size;
      } catch (const Error& error) {
        EXPECT_EQ(int(error.exit()), int(Exit::kBadInput)) << error.what();
      }
    }
  }
}

}  // namespace
}  // namespace mvd
