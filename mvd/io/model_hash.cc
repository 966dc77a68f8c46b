// ModelHash: every byte of what defines a model's results, at the speed of memory. Chunks are hashed apart,
// so that threads share a file and the result does not depend on how.
#include <algorithm>

#include "mvd/base/error.h"
#include "mvd/io/content_hash.h"
#include "mvd/io/model_folder.h"

namespace mvd {
namespace fs = std::filesystem;
namespace {

// Part of the result: another size names the same model differently.
constexpr uint64_t kChunk = uint64_t{8} << 20;

void AddFile(ContentDigest& digest, const std::string& label, const MappedFile& file,
             const Threads& threads) {
  const std::span<const uint8_t> bytes = file.bytes();
  const uint64_t chunks = (bytes.size() + kChunk - 1) / kChunk;
  std::vector<HashBytes> hashes(chunks);
  ParallelFor(threads, int64_t(chunks), [&](int64_t item, int) {
    const uint64_t begin = uint64_t(item) * kChunk;
    const uint64_t size = std::min<uint64_t>(kChunk, bytes.size() - begin);
    hashes[size_t(item)] = ContentHashBytes(bytes.data() + begin, size);
    file.DropPages(begin, size);
  });
  // Lengths first: no two lists of files feed the same bytes.
  digest.Add(label.size());
  digest.Add(label.data(), label.size());
  digest.Add(bytes.size());
  digest.Add(hashes.data(), hashes.size() * sizeof(hashes[0]));
}

}  // namespace

std::string ModelHash(const fs::path& folder, const Threads& threads) {
  ContentDigest digest;
  std::error_code code;
  if (fs::is_regular_file(folder, code)) {  // a whole model in one file
    AddFile(digest, "", MappedFile::Open(folder), threads);
    return digest.Hex();
  }
  const ModelFolder model = ModelFolder::Open(folder);
  if (model.is_pipeline) {
    AddFile(digest, "model_index.json", MappedFile::OpenInside(folder, "model_index.json"), threads);
  }
  for (const ModelComponent& component : model.components) {
    if (component.config_file.empty()) continue;
    // A component's own folder may have any name; inside a pipeline the name is part of the model.
    const std::string prefix = model.is_pipeline ? component.name + "/" : "";
    AddFile(digest, prefix + component.config_file,
            MappedFile::OpenInside(component.folder, component.config_file), threads);
    const std::optional<WeightFiles> weights = FindWeightFiles(component.folder);
    if (!weights) continue;
    for (const std::string& name : weights->files) {
      AddFile(digest, prefix + name, MappedFile::OpenInside(component.folder, name), threads);
    }
  }
  return digest.Hex();
}

}  // namespace mvd
