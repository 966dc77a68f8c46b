#include "mvd/train/importance_chart.h"

#include <gtest/gtest.h>

#include "mvd/base/atomic_file.h"
#include "mvd/base/error.h"

namespace mvd {
namespace {

namespace fs = std::filesystem;

// They need not be those that end highest: what is exported may be the average of the weights.
TEST(ImportanceChart, NamesTheBlocksThatAreKept) {
  const fs::path run = fs::temp_directory_path() / "mobilevd_importance_chart";
  fs::create_directories(run);
  WriteFile(run / "metrics.jsonl",
            "{\"step\":1,\"loss\":2,\"importance.a\":0.9,\"importance.b\":0.2,\"importance.c\":0.5}\n"
            "not a line of the log\n"
            "{\"step\":2,\"importance.a\":0.1,\"importance.b\":0.8,\"importance.c\":0.5}\n"
            "{\"step\":3,\"importance.a\":0.1}\n");
  WriteImportanceChart(run, {"a", "b", "c"}, {"a", "c"});
  const std::string svg = ReadFile(run / "importance.svg", 1 << 20);
  ASSERT_NE(svg.find(">a</text>"), svg.npos);
  ASSERT_NE(svg.find(">c</text>"), svg.npos);
  EXPECT_EQ(svg.find(">b</text>"), svg.npos);
  const auto height = [&](const char* name) {
    const size_t end = svg.find(name), start = svg.rfind("y=\"", end);
    return std::stod(svg.substr(start + 3));
  };
  EXPECT_LT(height(">c</text>"), height(">a</text>"));  // the highest at its end comes first
  size_t lines = 0;
  for (size_t at = svg.find("<polyline"); at != svg.npos; at = svg.find("<polyline", at + 1)) ++lines;
  EXPECT_EQ(lines, 3u);
  fs::remove_all(run);
}

TEST(ImportanceChart, SaysWhereThereIsNothingToDraw) {
  const fs::path run = fs::temp_directory_path() / "mobilevd_importance_nothing";
  fs::create_directories(run);
  WriteFile(run / "metrics.jsonl", "{\"step\":1,\"loss\":2}\n");
  try {
    WriteImportanceChart(run, {"a"}, {"a"});
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("metrics.jsonl"), std::string::npos) << error.what();
  }
  fs::remove_all(run);
}

}  // namespace
}  // namespace mvd
