// Any text as an index of shards and as a config: an Error of one line, or shards that are plain names inside
// the folder and a value that is the same when written and read again.
#include <cstdlib>
#include <cstring>
#include <string>

#include "mvd/base/error.h"
#include "mvd/io/model_folder.h"

namespace {

void Require(bool condition) {
  if (!condition) std::abort();
}

template <class Body>
void BadInputAtMost(const Body& body) {
  try {
    body();
  } catch (const mvd::Error& error) {
    Require(error.exit() == mvd::Exit::kBadInput && !std::strchr(error.what(), '\n'));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  BadInputAtMost([&] {
    for (const auto& [tensor, shard] : mvd::ParseShardIndex(text, "fuzz")) {
      // "..x" is a plain name like any other.
      Require(shard.find_first_of(std::string("/\\\0", 3)) == shard.npos && shard != "." && shard != "..");
      Require(std::filesystem::path(shard).filename() == shard);
    }
  });
  BadInputAtMost([&] {
    const nlohmann::json value = mvd::ParseJson(text, "fuzz");
    Require(mvd::ParseJson(value.dump(), "fuzz") == value);
  });
  Require(mvd::Printable(text).find('\n') == std::string::npos);
  return 0;
}
