#include "mvd/data/shard_index.h"

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <unordered_map>

#include "mvd/base/atomic_file.h"
#include "mvd/base/dtype.h"
#include "mvd/base/error.h"
#include "mvd/base/motion.h"
#include "mvd/base/paths.h"
#include "mvd/data/tar_reader.h"

namespace mvd {
namespace fs = std::filesystem;
namespace {

constexpr size_t kMaxIndexBytes = size_t{64} << 20;
constexpr uint64_t kMaxSampleJson = uint64_t{1} << 20;
constexpr int64_t kMaxSide = 1 << 16, kMaxFrames = 1 << 20;  // their product with 3 channels fits int64
constexpr int64_t kMaxSamples = int64_t(1) << 40;

nlohmann::json Parse(const std::string& text, const std::string& file) {
  nlohmann::json json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) ThrowBadInput(file, "is not a JSON object");
  return json;
}

int64_t Integer(const nlohmann::json& json, const char* key, int64_t low, int64_t high,
                const std::string& file) {
  const auto found = json.find(key);
  if (found == json.end() || !found->is_number_integer())
    ThrowBadInput(file, "key '", key, "': a whole number is expected");
  // Beyond int64 an unsigned number would wrap.
  const bool huge = found->is_number_unsigned() && found->get<uint64_t>() > uint64_t(high);
  const int64_t value = huge ? high : found->get<int64_t>();
  if (huge || value < low || value > high)
    ThrowBadInput(file, "key '", key, "': from ", low, " to ", high, " is expected");
  return value;
}

double Number(const nlohmann::json& json, const char* key, double low, double high, const std::string& file) {
  const auto found = json.find(key);
  if (found == json.end() || !found->is_number())
    ThrowBadInput(file, "key '", key, "': a number is expected");
  const double value = found->get<double>();
  if (!(value >= low && value <= high))
    ThrowBadInput(file, "key '", key, "' is ", value, ", from ", low, " to ", high, " is expected");
  return value;
}

ShardFolderInfo InfoOf(const nlohmann::json& json, const std::string& file) {
  if (json.value("format", nlohmann::json()) != kShardsFormat)
    ThrowBadInput(file, "key 'format': \"", kShardsFormat, "\" is expected");
  ShardFolderInfo info;
  info.height = Integer(json, "height", 1, kMaxSide, file);
  info.width = Integer(json, "width", 1, kMaxSide, file);
  info.frames = Integer(json, "frames", 1, kMaxFrames, file);
  info.fps = Number(json, "fps", 0.01, 1000, file);
  info.clips = Integer(json, "clips", 0, kMaxSamples, file);
  info.pictures = Integer(json, "pictures", 0, kMaxSamples, file);
  return info;
}

// It may become a word of a one-line position.
std::string Hash(const nlohmann::json& json, const char* key, const std::string& file) {
  const auto found = json.find(key);
  const std::string hash = found != json.end() && found->is_string() ? found->get<std::string>() : "";
  if (hash.empty() || hash.size() > 64 || hash.find_first_not_of("0123456789abcdef") != hash.npos)
    ThrowBadInput(file, "key '", key, "': hexadecimal digits are expected");
  return hash;
}

ShardFile ShardOf(const nlohmann::json& entry, const fs::path& folder, const std::string& file) {
  const auto name = entry.is_object() ? entry.find("file") : entry.end();
  if (!entry.is_object() || name == entry.end() || !name->is_string())
    ThrowBadInput(file, "a shard without 'file'");
  const std::string text = name->get<std::string>();
  if (text.empty() || text == "." || text == ".." ||
      text.find_first_of(std::string_view("/\\\0", 3)) != text.npos)
    ThrowBadInput(file, "a shard's file must be a plain name inside the folder");
  return {folder / text, uint64_t(Integer(entry, "bytes", 0, int64_t(1) << 50, file)),
          Hash(entry, "xxh128", file), Integer(entry, "samples", 0, kMaxSamples, file)};
}

std::vector<ShardFile> ShardsOf(const nlohmann::json& json, const fs::path& folder, const std::string& file) {
  const auto list = json.find("shards");
  if (list == json.end() || !list->is_array()) ThrowBadInput(file, "key 'shards': a list is expected");
  std::vector<ShardFile> shards;
  std::set<fs::path> seen;
  for (const nlohmann::json& entry : *list) {
    shards.push_back(ShardOf(entry, folder, file));
    if (!seen.insert(shards.back().path).second)
      ThrowBadInput(file, "names shard '", shards.back().path.filename().string(), "' twice");
  }
  return shards;
}

nlohmann::json ReadShardsJson(const fs::path& folder) {
  if (!PathExists(folder)) ThrowNotFound(folder.string());
  const fs::path path = folder / kShardsFile;
  if (!PathExists(path))
    ThrowBadInput(folder.string(), "has no ", kShardsFile,
                  ": not a folder of shards, or not written to its end");
  return Parse(ReadFile(path, kMaxIndexBytes), path.string());
}

// A sample's members stand side by side: KEY.rgb, KEY.json, KEY up to the first dot.
class SampleList {
 public:
  SampleList(ShardIndex& index, const std::function<void(const std::string&)>& problem)
      : index_(index), problem_(problem) {}

  void AddShard(const TarListing& listing, uint32_t shard) {
    shard_ = shard;
    for (const TarMember& member : listing.members) Add(member);
    Finish();
  }

 private:
  void Add(const TarMember& member) {
    const size_t base = member.name.find_last_of('/') + 1;  // npos + 1 is 0
    const size_t dot = std::min(member.name.find('.', base), member.name.size());
    const std::string key = member.name.substr(0, dot), kind = member.name.substr(dot);
    if (kind == kMotionMember && key == sample_.key && has_pixels_) {
      sample_.motion_at = member.offset, sample_.motion_size = member.size;
      return;
    }
    if (kind != ".rgb" && kind != ".json") return;
    const bool pixels = kind == ".rgb";
    // A second .rgb belongs to another sample, of the same key too.
    if (key != sample_.key || (pixels ? has_pixels_ : has_json_)) Finish();
    sample_.shard = shard_;
    sample_.key = key;
    (pixels ? sample_.pixels_at : sample_.json_at) = member.offset;
    (pixels ? sample_.pixels_size : sample_.json_size) = member.size;
    (pixels ? has_pixels_ : has_json_) = true;
  }

  void Finish() {
    if (has_pixels_ || has_json_) {
      const std::string what = StrCat(index_.shards[shard_].path.string(), ": sample '", sample_.key, "' ");
      if (!has_pixels_ || !has_json_)
        problem_(what + "lacks its " + (has_pixels_ ? ".json" : ".rgb"));
      else if (const auto [first, is_new] = keys_.emplace(sample_.key, shard_); is_new)
        index_.samples.push_back(sample_);
      else
        problem_(what + "is there already, in " + index_.shards[first->second].path.filename().string() +
                 "; the second one is skipped");
    }
    has_pixels_ = has_json_ = false;
    sample_ = {};
  }

  ShardIndex& index_;
  const std::function<void(const std::string&)>& problem_;
  std::unordered_map<std::string, uint32_t> keys_;  // of samples listed so far, and the shard of each
  uint32_t shard_ = 0;
  ShardSample sample_;
  bool has_pixels_ = false, has_json_ = false;
};

// The clip's motion, if the sample has it.
void ReadMotion(const fs::path& shard, const ShardSample& sample, const nlohmann::json& json,
                const std::function<std::string(const void*, size_t)>& hash, TrainingClip& clip) {
  if (sample.motion_size == 0) return;
  const auto cells = [](int64_t side) { return (side + kMotionCell - 1) / kMotionCell; };
  const auto values = uint64_t(clip.frames * cells(clip.height) * cells(clip.width) * kMotionValues);
  if (sample.motion_size != values * sizeof(uint16_t))
    ThrowBadInput(clip.name, "has ", sample.motion_size, " bytes of motion, ", values * sizeof(uint16_t),
                  " are expected");
  std::vector<uint16_t> halves(values);
  ReadRange(shard, sample.motion_at, sample.motion_size, halves.data());
  if (hash) {
    const std::string found = hash(halves.data(), sample.motion_size),
                      wanted = Hash(json, "motion_hash", clip.name);
    if (found != wanted)
      ThrowBadInput(clip.name, "is damaged: its motion hashes to ", found, ", its JSON says ", wanted);
  }
  clip.motion.resize(values);
  Convert(DType::kF16, halves.data(), DType::kF32, clip.motion.data(), values);
  for (const float value : clip.motion)
    if (!std::isfinite(value)) ThrowBadInput(clip.name, "its motion holds ", value);
}

}  // namespace

ShardFolderInfo ReadShardFolderInfo(const fs::path& folder) {
  return InfoOf(ReadShardsJson(folder), (folder / kShardsFile).string());
}

std::vector<ShardFile> ReadShardList(const fs::path& folder) {
  const nlohmann::json json = ReadShardsJson(folder);
  const std::string file = (folder / kShardsFile).string();
  InfoOf(json, file);
  return ShardsOf(json, folder, file);
}

ShardIndex ReadShardIndex(const fs::path& folder, const std::function<void(const std::string&)>& skip) {
  const std::string file = (folder / kShardsFile).string();
  const nlohmann::json json = ReadShardsJson(folder);
  ShardIndex index;
  index.info = InfoOf(json, file);
  index.identity = Hash(json, "hash", file);
  const auto problem = [&](const std::string& line) {
    ++index.skipped;
    if (skip) skip(line);
  };
  const std::function<void(const std::string&)> tell = problem;
  SampleList samples(index, tell);
  for (const ShardFile& shard : ShardsOf(json, folder, file)) {
    if (!PathExists(shard.path))
      ThrowBadInput(shard.path.string(), "is absent, but ", kShardsFile, " names it");
    if (const uint64_t bytes = FileSize(shard.path); bytes != shard.bytes) {
      index.skipped += shard.samples;
      if (skip)
        skip(StrCat(shard.path.string(), ": is damaged: ", bytes, " bytes, ", kShardsFile, " says ",
                    shard.bytes, "; all of it is skipped"));
      continue;
    }
    index.shards.push_back(shard);
    const TarListing listing = ListTar(shard.path);
    for (const std::string& line : listing.problems) problem(line);
    samples.AddShard(listing, uint32_t(index.shards.size() - 1));
  }
  return index;
}

TrainingClip ReadShardSample(const ShardIndex& index, const ShardSample& sample,
                             const std::function<std::string(const void*, size_t)>& hash) {
  const fs::path& shard = index.shards[sample.shard].path;
  TrainingClip clip;
  clip.name = shard.string() + ":" + sample.key;
  if (sample.json_size > kMaxSampleJson)
    ThrowBadInput(clip.name, "its JSON has ", sample.json_size, " bytes, at most ", kMaxSampleJson,
                  " are read");
  std::string text(sample.json_size, '\0');
  ReadRange(shard, sample.json_at, sample.json_size, text.data());
  const nlohmann::json json = Parse(text, clip.name + ".json");
  clip.frames = Integer(json, "frames", 1, kMaxFrames, clip.name);
  clip.height = Integer(json, "height", 1, kMaxSide, clip.name);
  clip.width = Integer(json, "width", 1, kMaxSide, clip.name);
  if (clip.height != index.info.height || clip.width != index.info.width)
    ThrowBadInput(clip.name, "is ", clip.width, "x", clip.height, ", ", kShardsFile, " says ",
                  index.info.width, "x", index.info.height);
  const uint64_t bytes = uint64_t(clip.frames) * uint64_t(clip.height) * uint64_t(clip.width) * 3;
  if (bytes != sample.pixels_size)
    ThrowBadInput(clip.name, "has ", sample.pixels_size, " bytes of pixels, ", bytes, " are expected");
  if (clip.frames != 1 && clip.frames != index.info.frames)
    ThrowBadInput(clip.name, "has ", clip.frames, " frames, ", kShardsFile, " says ", index.info.frames);
  clip.fps = Number(json, "fps", 0.01, 1000, clip.name);
  clip.motion_bucket_id = Number(json, "motion_bucket_id", 0, 255, clip.name);
  clip.pixels.resize(bytes);
  ReadRange(shard, sample.pixels_at, bytes, clip.pixels.data());
  ReadMotion(shard, sample, json, hash, clip);
  if (!hash) return clip;
  const std::string found = hash(clip.pixels.data(), bytes), wanted = Hash(json, "content_hash", clip.name);
  if (found != wanted)
    ThrowBadInput(clip.name, "is damaged: its pixels hash to ", found, ", its JSON says ", wanted);
  return clip;
}

}  // namespace mvd
