// How the importance of temporal blocks went over a run, as a picture.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace mvd {

// RUN/importance.svg from RUN/metrics.jsonl: a line for each of `blocks`, "importance.BLOCK" over steps; the
// `keep` that end highest in colour and named, the others grey. Lines of the log that hold none are passed
// over. Error(kNotFound) without a log, Error(kBadInput) naming it where it has no importance at all.
void WriteImportanceChart(const std::filesystem::path& run, const std::vector<std::string>& blocks,
                          int64_t keep);

}  // namespace mvd
