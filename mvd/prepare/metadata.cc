#include "mvd/prepare/metadata.h"

#include "mvd/base/atomic_file.h"
#include "mvd/base/error.h"
#include "mvd/base/paths.h"
#include "mvd/io/json.h"

namespace mvd {
namespace fs = std::filesystem;
namespace {

constexpr size_t kMaxBytes = size_t{1} << 30;

std::optional<double> Number(const nlohmann::json& json, const char* key, double low, double high,
                             const std::string& where) {
  const auto found = json.find(key);
  if (found == json.end() || found->is_null()) return std::nullopt;
  const double value = found->is_number() ? found->get<double>() : -1;
  if (!(value >= low && value <= high))
    ThrowBadInput(where, "key '", key, "': a number from ", low, " to ", high, " is expected");
  return value;
}

}  // namespace

std::map<std::string, SourceMetadata> ReadMetadata(const fs::path& folder) {
  std::map<std::string, SourceMetadata> all;
  const fs::path path = folder / kMetadataFile;
  if (!PathExists(path)) return all;
  const std::string text = ReadFile(path, kMaxBytes);
  int64_t number = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = std::string_view(text).substr(at, end - at);
    at = end + 1;
    ++number;
    if (line.find_first_not_of(" \t\r") == line.npos) continue;
    const std::string where = StrCat(path.string(), " line ", number);
    nlohmann::json json = ParseJson(line, where);
    if (!json.is_object() || !json.contains("file") || !json["file"].is_string())
      ThrowBadInput(where, "an object with the string 'file' is expected");
    const std::string file = fs::path(json["file"].get<std::string>()).lexically_normal().generic_string();
    SourceMetadata metadata;
    metadata.fps = Number(json, "fps", 0.01, 1000, where);
    metadata.motion_bucket_id = Number(json, "motion_bucket_id", 0, 255, where);
    for (const char* key : {"file", "fps", "motion_bucket_id"}) json.erase(key);
    metadata.rest = std::move(json);
    if (!all.emplace(file, std::move(metadata)).second)
      ThrowBadInput(where, "names '", Printable(file), "' again");
  }
  return all;
}

}  // namespace mvd
