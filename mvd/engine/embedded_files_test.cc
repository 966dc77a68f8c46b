#include "mvd/engine/embedded_files.h"

#include <gtest/gtest.h>

#include "mvd/base/atomic_file.h"
#include "mvd/base/source_dir_testing.h"
#include "mvd/io/io_test_util.h"

namespace mvd {
namespace {

namespace fs = std::filesystem;

TEST(EmbeddedFiles, UnpackOnceAndWhole) {
  TestFolder folder;
  const uint8_t one[] = {'1', '1'}, two[] = {'2'};
  const EmbeddedFile files[] = {{"index", one}, {"sub/weights", two}};
  const fs::path made = Unpack({files, "0123"}, "index", folder.path(), "demo");
  EXPECT_EQ(made, folder.path() / "0123" / "demo");
  EXPECT_EQ(ReadFile(made / "index", 10), "11");
  EXPECT_EQ(ReadFile(made / "sub/weights", 10), "2");
  // A folder that lacks the last file is made anew; one that has it is left alone.
  fs::remove(made / "index"), fs::remove(made / "sub/weights");
  EXPECT_EQ(Unpack({files, "0123"}, "index", folder.path(), "demo"), made);
  EXPECT_EQ(ReadFile(made / "sub/weights", 10), "2");
  fs::remove(made / "sub/weights");
  Unpack({files, "0123"}, "index", folder.path(), "demo");
  EXPECT_FALSE(fs::exists(made / "sub/weights"));
}

TEST(EmbeddedFiles, TheDefaultModelIsWhole) {
  const EmbeddedFiles embedded = EmbeddedDefaultModel();
  EXPECT_EQ(embedded.hash.size(), 16u);
  uint64_t bytes = 0;
  bool index = false;
  for (const EmbeddedFile& file : embedded.files) {
    const fs::path source = SourceDir() / "models/demo" / file.path;
    EXPECT_EQ(ReadFile(source, 1 << 26),
              std::string(reinterpret_cast<const char*>(file.bytes.data()), file.bytes.size()))
        << source;
    bytes += file.bytes.size(), index = index || file.path == "model_index.json";
  }
  EXPECT_TRUE(index);
  EXPECT_LE(bytes, 16u << 20) << "what the program may carry";
}

TEST(EmbeddedFiles, AFolderThatCannotBeMade) {
  TestFolder folder;
  folder.Put("file", "");
  const uint8_t one[] = {'1'};
  const EmbeddedFile files[] = {{"index", one}};
  ExpectError(Exit::kBadInput, "is a regular file, expected a folder", [&] {
    Unpack({files, "0"}, "index", folder.path() / "file", "demo");
  });
}

}  // namespace
}  // namespace mvd
