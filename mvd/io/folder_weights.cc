// FolderWeights: an index and its shards must tell the same story before any tensor is handed out.
#include "mvd/base/error.h"
#include "mvd/io/model_folder.h"

namespace mvd {

FolderWeights::FolderWeights(const std::filesystem::path& folder) : folder_(folder.string()) {
  const std::optional<WeightFiles> found = FindWeightFiles(folder);
  if (!found) {
    ThrowBadInput(folder_,
                  "holds no weights: expected diffusion_pytorch_model.safetensors, model.safetensors, their "
                  ".fp16. variants or an index *.safetensors.index.json");
  }
  const bool sharded = !found->index.empty();
  for (const std::string& name : found->files) {
    // A name of ours may be a link (the Hub's cache is made of them), a name out of an index may not.
    SafetensorsFile file =
        sharded ? SafetensorsFile::OpenInside(folder, name) : SafetensorsFile::Open(folder / name);
    for (const auto& [tensor, entry] : file.tensors()) {
      const auto [at, inserted] = file_of_.emplace(tensor, files_.size());
      if (!inserted) {
        ThrowBadInput(file.path(), "tensor '", Printable(tensor), "' is in another shard too, ",
                      found->files[at->second]);
      }
      const auto mapped = found->weight_map.find(tensor);
      if (sharded && mapped == found->weight_map.end()) {
        ThrowBadInput(file.path(), "tensor '", Printable(tensor), "' is not in the weight_map of ",
                      found->index);
      }
    }
    files_.push_back(std::move(file));
  }
  for (const auto& [tensor, shard] : found->weight_map) {
    const auto at = file_of_.find(tensor);
    if (at == file_of_.end() || found->files[at->second] != shard) {
      ThrowBadInput((folder / shard).string(), "tensor '", Printable(tensor), "' is missing, ", found->index,
                    " says it is here");
    }
  }
}

const SafetensorsFile& FolderWeights::FileOf(const std::string& name) const {
  const auto found = file_of_.find(name);
  if (found == file_of_.end()) ThrowBadInput(folder_, "tensor '", Printable(name), "' is missing");
  return files_[found->second];
}

std::optional<TensorInfo> FolderWeights::Find(const std::string& name) const {
  if (!file_of_.contains(name)) return std::nullopt;
  return FileOf(name).tensors().at(name).info;
}

TensorView FolderWeights::Get(const std::string& name) { return FileOf(name).Get(name); }

void FolderWeights::Release(const std::string& name) { FileOf(name).Release(name); }

std::vector<std::string> FolderWeights::Names() const {
  std::vector<std::string> names;
  for (const auto& [name, file] : file_of_) names.push_back(name);
  return names;
}

}  // namespace mvd
