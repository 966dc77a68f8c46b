// Which files of a component's folder hold its weights, and what an index of shards may say.
#include <algorithm>
#include <array>
#include <set>

#include "mvd/base/error.h"
#include "mvd/base/file_error.h"
#include "mvd/base/paths.h"
#include "mvd/io/foreign_file.h"
#include "mvd/io/model_folder.h"

namespace mvd {
namespace fs = std::filesystem;
namespace {

constexpr size_t kMaxShards = 1024;

// Which weights a name stands for. Full precision is preferred to fp16, diffusers' to transformers'.
enum class Precision { kFull, kHalf };
struct WeightName {
  std::string_view name;
  Precision precision = Precision::kFull;
  bool is_index = false;
};
// The order of preference. Where one file stands beside an index, diffusers 0.42 reads what the index names
// and transformers reads the one file. Both have put the variant into an index's name in two places.
constexpr std::array<WeightName, 10> kWeightNames = {
    {{"diffusion_pytorch_model.safetensors.index.json", Precision::kFull, true},
     {"diffusion_pytorch_model.safetensors", Precision::kFull, false},
     {"model.safetensors", Precision::kFull, false},
     {"model.safetensors.index.json", Precision::kFull, true},
     {"diffusion_pytorch_model.safetensors.index.fp16.json", Precision::kHalf, true},
     {"diffusion_pytorch_model.fp16.safetensors.index.json", Precision::kHalf, true},
     {"diffusion_pytorch_model.fp16.safetensors", Precision::kHalf, false},
     {"model.fp16.safetensors", Precision::kHalf, false},
     {"model.safetensors.index.fp16.json", Precision::kHalf, true},
     {"model.fp16.safetensors.index.json", Precision::kHalf, true}}};
// After these, the one file with this ending, whatever stands before it.
constexpr std::string_view kIndexEnding = ".safetensors.index.json";

std::set<std::string> NamesIn(const fs::path& folder) {
  std::set<std::string> names;
  std::error_code code;
  for (fs::directory_iterator it(folder, code), end; !code && it != end; it.increment(code)) {
    names.insert(it->path().filename().string());
  }
  if (code) ThrowUnreadable(folder.string(), code.value());
  return names;
}

std::optional<WeightName> Choose(const fs::path& folder, const std::set<std::string>& names) {
  for (const WeightName& candidate : kWeightNames) {
    if (names.contains(std::string(candidate.name))) return candidate;
  }
  std::optional<WeightName> chosen;
  for (const std::string& name : names) {
    if (!name.ends_with(kIndexEnding)) continue;
    if (chosen) {
      ThrowBadInput(folder.string(), "holds two indexes, '", Printable(chosen->name), "' and '",
                    Printable(name), "', expected one");
    }
    chosen = WeightName{name, Precision::kFull, true};
  }
  return chosen;
}

void RefusePickles(const fs::path& folder, const std::set<std::string>& names) {
  for (const std::string& name : names) {
    if (!HasPickleEnding(name)) continue;
    ThrowBadInput(folder.string(), "holds only pickled weights ('", Printable(name),
                  "'), which can run code when loaded: convert them to safetensors, e.g. with "
                  "save_pretrained(..., safe_serialization=True)");
  }
}

// Other weights of the same precision: one of the two is stale.
std::vector<std::string> Rivals(const WeightName& chosen, const std::set<std::string>& names) {
  std::vector<std::string> rivals;
  for (const WeightName& other : kWeightNames) {
    if (other.name != chosen.name && other.precision == chosen.precision &&
        names.contains(std::string(other.name)))
      rivals.emplace_back(other.name);
  }
  return rivals;
}

}  // namespace

std::map<std::string, std::string> ParseShardIndex(std::string_view text, const std::string& file) {
  if (text.size() > kMaxJsonBytes) {
    ThrowBadInput(file, "has ", text.size(), " bytes, at most ", kMaxJsonBytes, " are read");
  }
  const nlohmann::json index = ParseJson(text, file);
  if (!index.is_object()) ThrowBadInput(file, "is ", index.type_name(), ", expected an object");
  const auto found = index.find("weight_map");
  if (found == index.end() || !found->is_object() || found->empty()) {
    ThrowBadInput(file, "weight_map is missing or no object with entries");
  }
  if (found->size() > kMaxSafetensorsTensors) {
    ThrowBadInput(file, "weight_map has ", found->size(), " tensors, at most ", kMaxSafetensorsTensors);
  }
  std::map<std::string, std::string> map;
  std::set<std::string> shards;
  for (const auto& [tensor, value] : found->items()) {
    if (!value.is_string()) {
      ThrowBadInput(file, "weight_map: shard of '", Printable(tensor), "' is ", value.type_name(),
                    ", expected a string");
    }
    const auto& shard = value.get_ref<const std::string&>();
    if (!IsPlainBaseName(shard) || !shard.ends_with(".safetensors")) {
      ThrowBadInput(file, "weight_map: shard '", Printable(shard), "' of '", Printable(tensor),
                    "' is no plain file name ending in .safetensors");
    }
    shards.insert(shard);
    if (shards.size() > kMaxShards) ThrowBadInput(file, "weight_map names more than ", kMaxShards, " shards");
    map.emplace(tensor, shard);
  }
  return map;
}

std::optional<WeightFiles> FindWeightFiles(const fs::path& folder) {
  if (!PathExists(folder)) ThrowNotFound(folder.string());
  if (!IsFolder(folder)) ThrowBadInput(folder.string(), "is no folder, expected a component's folder");
  const std::set<std::string> names = NamesIn(folder);
  const std::optional<WeightName> chosen = Choose(folder, names);
  if (!chosen) {
    RefusePickles(folder, names);
    return std::nullopt;
  }
  WeightFiles result;
  result.folder = folder;
  result.rivals = Rivals(*chosen, names);
  const std::string name(chosen->name);
  if (!chosen->is_index) {
    result.files = {name};
    return result;
  }
  result.index = name;
  const MappedFile index = MappedFile::OpenInside(folder, name);
  result.weight_map = ParseShardIndex(index.text(), index.path());
  std::set<std::string> shards;
  for (const auto& [tensor, shard] : result.weight_map) shards.insert(shard);
  result.files.assign(shards.begin(), shards.end());
  return result;
}

}  // namespace mvd
