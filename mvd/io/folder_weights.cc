// FolderWeights: an index and its shards must tell the same story before any tensor is handed out.
#include <algorithm>
#include <array>

#include "mvd/base/error.h"
#include "mvd/io/model_folder.h"

namespace mvd {

FolderWeights::FolderWeights(const std::filesystem::path& folder) : origin_(folder.string()) {
  const std::optional<WeightFiles> found = FindWeightFiles(folder);
  if (!found) {
    ThrowBadInput(origin_,
                  "holds no weights: expected diffusion_pytorch_model.safetensors, model.safetensors, their "
                  ".fp16. variants or an index *.safetensors.index.json");
  }
  for (const std::string& name : found->files) AddFile(SafetensorsFile::OpenInside(folder, name));
  if (!found->index.empty()) CheckIndex(*found);
  if (!found->rivals.empty()) {
    rivals_ = {found->index.empty() ? found->files[0] : found->index};
    rivals_.insert(rivals_.end(), found->rivals.begin(), found->rivals.end());
  }
  FindScales();
}

FolderWeights::FolderWeights(SafetensorsFile file) : origin_(file.path()) {
  AddFile(std::move(file));
  FindScales();
}

void FolderWeights::AddFile(SafetensorsFile file) {
  for (const auto& [tensor, entry] : file.tensors()) {
    const auto [at, inserted] = file_of_.emplace(tensor, files_.size());
    if (inserted) continue;
    ThrowBadInput(file.path(), "tensor '", Printable(tensor), "' is in another shard too, ",
                  std::filesystem::path(files_[at->second].path()).filename().string());
  }
  files_.push_back(std::move(file));
}

void FolderWeights::CheckIndex(const WeightFiles& found) const {
  for (const auto& [tensor, file] : file_of_) {
    if (found.weight_map.contains(tensor)) continue;
    ThrowBadInput(files_[file].path(), "tensor '", Printable(tensor), "' is not in the weight_map of ",
                  found.index);
  }
  for (const auto& [tensor, shard] : found.weight_map) {
    const auto at = file_of_.find(tensor);
    if (at != file_of_.end() && found.files[at->second] == shard) continue;
    ThrowBadInput((found.folder / shard).string(), "tensor '", Printable(tensor), "' is missing, ",
                  found.index, " says it is here");
  }
}

const SafetensorsFile& FolderWeights::FileOf(const std::string& name) const {
  const auto found = file_of_.find(name);
  if (found == file_of_.end()) ThrowBadInput(origin_, "tensor '", Printable(name), "' is missing");
  return files_[found->second];
}

std::optional<TensorInfo> FolderWeights::Find(const std::string& name) const {
  if (!file_of_.contains(name)) return std::nullopt;
  TensorInfo info = Entry(name).info;
  if (scales_.contains(name)) info.dtype = DType::kF32;
  return info;
}

TensorView FolderWeights::Get(const std::string& name) {
  FileOf(name);  // throws where it is absent
  CheckNotQuantized(name);
  const TensorView stored = FileOf(name).Get(name);
  const auto scale = scales_.find(name);
  if (scale == scales_.end()) return stored;
  Tensor& tensor = scaled_[name];
  tensor = ConvertTo(stored, DType::kF32);
  FileOf(name).Release(name);
  const std::span<float> values = tensor.f32();
  const size_t row = values.size() / scale->second.size();
  for (size_t i = 0; i < values.size(); ++i) values[i] *= scale->second[i / row];
  return tensor;
}

void FolderWeights::Release(const std::string& name) {
  FileOf(name).Release(name);
  scaled_.erase(name);
}

std::vector<std::string> FolderWeights::Names() const {
  std::vector<std::string> names;
  for (const auto& [name, file] : file_of_) names.push_back(name);
  return names;
}

}  // namespace mvd
