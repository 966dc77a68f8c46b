// Any text as a graph: an Error of one line, or a graph that verifies and is the same when printed and parsed
// again.
#include "fuzz_targets/fuzzing.h"
#include "mvd/ir/text.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  mvd::BadInputAtMost([&] {
    const mvd::Graph graph = mvd::Parse(text);
    const std::string printed = mvd::Print(graph);
    mvd::Require(mvd::Print(mvd::Parse(printed)) == printed);
  });
  return 0;
}
