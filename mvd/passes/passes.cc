#include "mvd/passes/passes.h"

#include <algorithm>
#include <chrono>

#include "mvd/base/error.h"

namespace mvd {
namespace {

void CheckNames(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (std::any_of(std::begin(kPasses), std::end(kPasses), [&](const Pass& p) { return p.name == name; }))
      continue;
    std::string known;
    for (const Pass& pass : kPasses) known += (known.empty() ? "" : ", ") + std::string(pass.name);
    ThrowUsage("unknown pass '", name, "'; passes are ", known);
  }
}

bool Wanted(const PassOptions& options, std::string_view name) {
  const auto has = [&](const std::vector<std::string>& names) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  return !has(options.skip) && (options.only.empty() || has(options.only));
}

}  // namespace

bool PassReport::changed() const {
  return std::any_of(entries.begin(), entries.end(), [](const Entry& entry) { return entry.changed; });
}

PassReport RunPasses(Graph& graph, const PassOptions& options) {
  CheckNames(options.skip);
  CheckNames(options.only);
  PassReport report;
  for (const Pass& pass : kPasses) {
    if (!Wanted(options, pass.name)) continue;
    if (options.observer) options.observer(pass, false, graph);
    PassReport::Entry entry{.name = pass.name, .nodes_before = int64_t(graph.nodes.size())};
    const auto start = std::chrono::steady_clock::now();
    entry.changed = pass.run(graph);
    entry.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    entry.nodes_after = int64_t(graph.nodes.size());
    try {
      Verify(graph);
    } catch (const InternalError& error) {
      throw InternalError(StrCat("after pass ", pass.name, ": ", error.what()));
    }
    if (options.observer) options.observer(pass, true, graph);
    report.entries.push_back(entry);
  }
  return report;
}

}  // namespace mvd
