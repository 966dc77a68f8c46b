#include "mvd/cli/file_kind.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "mvd/base/atomic_file.h"
#include "mvd/base/error.h"
#include "mvd/base/parallel.h"
#include "mvd/base/paths.h"
#include "mvd/cli/describe_model.h"
#include "mvd/data/shard_source.h"
#include "mvd/data/tar_reader.h"
#include "mvd/io/foreign_file.h"
#include "mvd/io/json.h"
#include "mvd/io/model_folder.h"
#include "mvd/io/safetensors.h"
#include "mvd/media/clip.h"
#include "mvd/media/image.h"
#include "mvd/train/run_config.h"

namespace mvd::cli {
namespace fs = std::filesystem;
using namespace std::string_view_literals;
namespace {

// The recipe as JSON where it parses as such, else as the text it is.
nlohmann::json RecipeOf(const fs::path& path) {
  const auto recipe = ReadRecipe(path);
  if (!recipe) return nullptr;
  nlohmann::json parsed = nlohmann::json::parse(*recipe, nullptr, false);
  return parsed.is_discarded() ? nlohmann::json(*recipe) : parsed;
}

nlohmann::json InspectMedia(const fs::path& path) {
  const ClipInfo info = ProbeClip(path);
  const bool still = info.frames == 1 && info.seconds == 0;
  nlohmann::json object = {{"file", path.string()}, {"kind", still ? "image" : "clip"},
                           {"format", info.format}, {"width", info.width},
                           {"height", info.height}, {"recipe", RecipeOf(path)}};
  if (!still) {
    object.update({{"codec", info.codec},
                   {"pixels", info.pixels},
                   {"fps", info.fps},
                   {"frames", info.frames},
                   {"seconds", info.seconds}});
  }
  return object;
}

bool IsModelFolder(const fs::path& path) {
  for (const char* name :
       {"model_index.json", "config.json", "scheduler_config.json", "preprocessor_config.json"}) {
    if (PathExists(path / name)) return true;
  }
  return false;
}

nlohmann::json InspectShards(const fs::path& folder) {
  const ShardFolderInfo info = ReadShardFolderInfo(folder);
  int64_t shards = 0;
  for (const fs::path& entry : ListFolder(folder)) shards += entry.extension() == ".tar";
  return {{"file", folder.string()}, {"kind", "shards"},          {"shards", shards},
          {"clips", info.clips},     {"pictures", info.pictures}, {"width", info.width},
          {"height", info.height},   {"frames", info.frames},     {"fps", info.fps}};
}

nlohmann::json InspectTar(const fs::path& path) {
  const TarListing listing = ListTar(path);
  std::set<std::string> samples;
  std::map<std::string, int64_t> types;
  uint64_t bytes = 0;
  for (const TarMember& member : listing.members) {
    const fs::path name(member.name);
    samples.insert((name.parent_path() / name.stem()).string());
    ++types[name.extension().string()];
    bytes += member.size;
  }
  return {{"file", path.string()},
          {"kind", "shard"},
          {"samples", samples.size()},
          {"members", listing.members.size()},
          {"types", types},
          {"bytes", bytes},
          {"problems", listing.problems}};
}

nlohmann::json InspectJson(const fs::path& path) {
  const nlohmann::json json = ReadJsonFile(path);
  nlohmann::json object = {{"file", path.string()}};
  if (!json.is_object()) {
    object.update({{"kind", "json"}, {"holds", json.type_name()}, {"entries", json.size()}});
  } else if (json.value("program", nlohmann::json()) == "mobilevd" && json.contains("options")) {
    object.update({{"kind", "recipe"}, {"recipe", json}});
  } else if (json.value("format", nlohmann::json()) == kShardsFormat) {
    return InspectShards(path.has_parent_path() ? path.parent_path() : ".");
  } else if (json.contains("weight_map") && json["weight_map"].is_object()) {
    std::set<std::string> files;
    for (const auto& [name, file] : json["weight_map"].items())
      if (file.is_string()) files.insert(file.get<std::string>());
    object.update({{"kind", "index"}, {"weights", json["weight_map"].size()}, {"files", files}});
  } else {
    const bool is_config = json.contains("_class_name") || json.contains("architectures");
    object.update({{"kind", is_config ? "config" : "json"}, {"content", json}});
  }
  return object;
}

template <class Config>
void TryToml(const std::string& text, const char* kind, std::vector<std::string>& kinds,
             std::string& reason) {
  Config config;
  try {
    ReadToml(text, "", ListOptions(config));
    kinds.push_back(kind);
  } catch (const Error& error) {
    if (reason.empty()) reason = error.what();
  }
}

// A run's options, or what keeps it from being that.
nlohmann::json InspectToml(const fs::path& path) {
  const std::string text = ReadFile(path, kMaxJsonBytes);
  std::vector<std::string> kinds;
  std::string reason;
  TryToml<DiffusionConfig>(text, "diffusion", kinds, reason);
  TryToml<AdversarialConfig>(text, "adversarial", kinds, reason);
  TryToml<AutoencoderConfig>(text, "autoencoder", kinds, reason);
  TryToml<FeaturesConfig>(text, "features", kinds, reason);
  nlohmann::json object = {{"file", path.string()}, {"kind", "toml"}, {"options_of_train", kinds}};
  if (kinds.empty()) object["reason"] = reason;
  return object;
}

std::string Head(const fs::path& path) {
  std::string head(4096, '\0');
  std::ifstream file(path, std::ios::binary);
  file.read(head.data(), std::streamsize(head.size()));
  head.resize(size_t(std::max<std::streamsize>(file.gcount(), 0)));
  return head;
}

bool IsTar(std::string_view head) { return head.size() >= 262 && head.substr(257, 5) == "ustar"sv; }

bool IsText(std::string_view head) {
  return !head.empty() && head.find('\0') == head.npos && !HasControlCharacters([&] {
    std::string line(head);
    std::erase_if(line, [](char c) { return c == '\n' || c == '\r' || c == '\t' || c == '\f'; });
    return line;
  }());
}

bool IsJson(std::string_view head) {
  const size_t first = head.find_first_not_of(" \t\r\n");
  return first != head.npos && (head[first] == '{' || head[first] == '[');
}

nlohmann::json InspectFile(const fs::path& path) {
  if (HasWeightsEnding(path.filename().string())) return DescribeWeights(path);
  const std::string head = Head(path), name = path.string();
  if (head.empty()) ThrowBadInput(name, "is empty, or cannot be read");
  if (IsTar(head)) return InspectTar(path);
  if (path.extension() == ".toml") return InspectToml(path);
  if (path.extension() == ".json" || (IsText(head) && IsJson(head))) return InspectJson(path);
  if (const std::string advice = ForeignPicture(head); !advice.empty()) ThrowBadInput(name, advice);
  if (const auto foreign = ForeignFile(head)) ThrowBadInput(name, "is ", *foreign);
  // Some containers begin with letters, too; y4m is one of them.
  if (IsText(head) && ImageFormatOf({reinterpret_cast<const uint8_t*>(head.data()), head.size()}).empty() &&
      !head.starts_with("YUV4MPEG2"sv))
    ThrowBadInput(name, "is text: no model, weights, clip, picture, shard, JSON or TOML");
  return InspectMedia(path);
}

}  // namespace

nlohmann::json DescribePath(const fs::path& path) {
  if (!PathExists(path)) ThrowNotFound(path.string());
  if (!IsFolder(path)) return InspectFile(path);
  if (IsModelFolder(path)) return DescribeModel(path);
  if (PathExists(path / kShardsFile)) return InspectShards(path);
  return InspectMedia(path);
}

}  // namespace mvd::cli
