#include "mvd/train/latent_cache.h"

#include <cstring>

#include "mvd/base/error.h"
#include "mvd/base/paths.h"
#include "mvd/io/content_hash.h"
#include "mvd/io/safetensors.h"

namespace mvd {
namespace fs = std::filesystem;
namespace {

// Part of every key; raise it when the meaning of an entry changes.
constexpr char kVersion[] = "latents 1";
constexpr char kKeyMetadata[] = "key";

Tensor CopyOf(const TensorView& view) {
  Tensor tensor(view.shape, view.dtype);
  if (view.bytes() > 0) std::memcpy(tensor.data(), view.data, view.bytes());
  return tensor;
}

}  // namespace

LatentCache::LatentCache(fs::path folder, std::string autoencoder_hash, std::string options)
    : folder_(std::move(folder)),
      autoencoder_hash_(std::move(autoencoder_hash)),
      options_(std::move(options)) {
  MakeFolders(folder_);
}

std::string LatentCache::Key(const TrainingClip& clip) const {
  ContentDigest digest;
  digest.AddText(kVersion);
  digest.AddText(autoencoder_hash_);
  digest.AddText(options_);
  for (const int64_t size : {clip.frames, clip.height, clip.width}) digest.Add(uint64_t(size));
  digest.Add(clip.pixels.data(), clip.pixels.size());
  return digest.Hex();
}

fs::path LatentCache::FileOf(const std::string& key) const {
  MVD_CHECK_EQ(key.size(), 32u);
  return folder_ / key.substr(0, 2) / (key + ".safetensors");
}

std::optional<LatentTensors> LatentCache::Get(const std::string& key) {
  const fs::path path = FileOf(key);
  if (PathExists(path)) {
    try {
      const SafetensorsFile file = SafetensorsFile::Open(path);
      // A file that was renamed is not the entry of its new name.
      const auto stored = file.metadata().find(kKeyMetadata);
      if (stored == file.metadata().end() || stored->second != key)
        ThrowBadInput(path.string(), "has another key");
      LatentTensors latents;
      for (const auto& [name, unused] : file.tensors()) latents.emplace(name, CopyOf(file.Get(name)));
      ++hits_;
      return latents;
    } catch (const Error&) {
      ++damaged_;
    }
  }
  ++misses_;
  return std::nullopt;
}

void LatentCache::Put(const std::string& key, const LatentTensors& latents) {
  const fs::path path = FileOf(key);
  MakeFolders(path.parent_path());
  std::map<std::string, TensorView> views;
  for (const auto& [name, tensor] : latents) views.emplace(name, tensor.view());
  WriteSafetensors(path, views, {{kKeyMetadata, key}});
}

}  // namespace mvd
