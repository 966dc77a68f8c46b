// A shards.json and a shard of any content, parted by the first NUL byte pair: an Error of one line, or
// samples that can be read or are refused one by one. A '@' in the JSON's place of a shard's size stands for
// the size that the shard has.
#include <stdlib.h>

#include <fstream>

#include "fuzz_targets/fuzzing.h"
#include "mvd/data/shard_index.h"

namespace {

namespace fs = std::filesystem;

fs::path Folder() {
  static const fs::path folder = [] {
    char name[] = "/tmp/shards_fuzzer.XXXXXX";
    mvd::Require(::mkdtemp(name) != nullptr);
    return fs::path(name);
  }();
  return folder;
}

void Write(const fs::path& path, std::string_view content) {
  std::ofstream(path, std::ios::binary).write(content.data(), std::streamsize(content.size()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t end = input.find(std::string_view("\0\0", 2));
  std::string json(input.substr(0, end));
  const std::string_view shard = end == input.npos ? std::string_view() : input.substr(end + 2);
  if (const size_t at = json.find('@'); at != json.npos) json.replace(at, 1, std::to_string(shard.size()));
  Write(Folder() / mvd::kShardsFile, json);
  Write(Folder() / "a.tar", shard);
  mvd::BadInputAtMost([&] {
    const mvd::ShardIndex index = mvd::ReadShardIndex(
        Folder(), [](const std::string& skipped) { mvd::Require(skipped.find('\n') == skipped.npos); });
    for (const mvd::ShardSample& sample : index.samples) {
      mvd::BadInputAtMost([&] { mvd::ReadShardSample(index, sample, {}); });
    }
  });
  return 0;
}
