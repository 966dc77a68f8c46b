// How the importance of temporal blocks went over a run, as a picture.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace mvd {

// RUN/importance.svg from RUN/metrics.jsonl: a line for each of `blocks`, "importance.BLOCK" over steps.
// Those of `kept` are in colour and named, the one that ends highest first; the others are grey. Lines of the
// log without importances are passed over. Error(kNotFound) without a log, Error(kBadInput) naming it where
// no line has any.
void WriteImportanceChart(const std::filesystem::path& run, const std::vector<std::string>& blocks,
                          const std::vector<std::string>& kept);

}  // namespace mvd
