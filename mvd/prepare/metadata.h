// What somebody already knows of the sources: metadata.jsonl, one JSON object a line.
#pragma once

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace mvd {

inline constexpr char kMetadataFile[] = "metadata.jsonl";

struct SourceMetadata {
  std::optional<double> fps;               // the source's rate, where its file tells a wrong one or none
  std::optional<double> motion_bucket_id;  // 0 to 255: then no flow is measured
  nlohmann::json rest = nlohmann::json::object();  // every other key, kept in the sample's JSON
};

// By the key "file", a path relative to `folder` as ListSources spells it. Empty where the folder has no
// metadata.jsonl. Error(kBadInput) naming the line that is not an object, lacks "file", names one twice or
// holds a number out of range.
std::map<std::string, SourceMetadata> ReadMetadata(const std::filesystem::path& folder);

}  // namespace mvd
