// Any text as an index of shards and as a config: an Error of one line, or shards that are plain names inside
// the folder and a value that is the same when written and read again.
#include "fuzz_targets/fuzzing.h"
#include "mvd/io/model_folder.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  mvd::BadInputAtMost([&] {
    for (const auto& [tensor, shard] : mvd::ParseShardIndex(text, "fuzz")) {
      // "..x" is a plain name like any other.
      mvd::Require(shard.find_first_of(std::string("/\\\0", 3)) == shard.npos && shard != "." &&
                   shard != "..");
      mvd::Require(std::filesystem::path(shard).filename() == shard);
    }
  });
  mvd::BadInputAtMost([&] {
    const nlohmann::json value = mvd::ParseJson(text, "fuzz");
    mvd::Require(mvd::ParseJson(value.dump(), "fuzz") == value);
  });
  mvd::Require(mvd::Printable(text).find('\n') == std::string::npos);
  return 0;
}
