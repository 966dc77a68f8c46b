#include "mvd/engine/convert_folder.h"

#include <cmath>

#include "mvd/base/atomic_file.h"
#include "mvd/base/error.h"
#include "mvd/base/paths.h"
#include "mvd/engine/model.h"
#include "mvd/engine/unet_folder.h"
#include "mvd/io/model_folder.h"
#include "mvd/io/safetensors.h"

namespace mvd {
namespace fs = std::filesystem;
namespace {

Tensor Converted(const TensorView& view, DType dtype, const std::string& name, const std::string& origin) {
  Tensor tensor = ConvertTo(view, dtype);
  const Tensor read_back = ConvertTo(tensor.view(), DType::kF32), original = ConvertTo(view, DType::kF32);
  const std::span<const float> from = original.f32(), to = read_back.f32();
  for (size_t i = 0; i < to.size(); ++i) {
    if (std::isfinite(from[i]) && !std::isfinite(to[i]))
      ThrowBadInput(origin, "tensor '", name, "' holds ", from[i], ", too large for ", Name(dtype));
  }
  return tensor;
}

bool IsFloat(DType dtype) { return dtype != DType::kI64 && dtype != DType::kI32 && dtype != DType::kU8; }

// transformers' loaders look for another name than diffusers'.
constexpr const char *kDiffusersName = "diffusion_pytorch_model.safetensors",
                     *kTransformersName = "model.safetensors";

const char* WeightsName(const WeightFiles& files) {
  const std::string& name = files.index.empty() ? files.files[0] : files.index;
  return name.starts_with("model.") ? kTransformersName : kDiffusersName;
}

// Floats become `dtype`; counters and indices stay what they are.
void WriteConverted(WeightSource& weights, const std::vector<std::string>& names, const fs::path& target,
                    const std::map<std::string, std::string>& metadata, DType dtype,
                    const CancelToken* cancel, ConvertReport& report) {
  std::map<std::string, TensorInfo> tensors;
  for (const std::string& name : names) {
    tensors[name] = *weights.Find(name);
    if (IsFloat(tensors[name].dtype)) tensors[name].dtype = dtype;
  }
  SafetensorsWriter writer(target, tensors, metadata);
  for (const auto& [name, info] : tensors) {  // one in memory at a time
    if (cancel) cancel->Poll();
    const TensorView view = weights.Get(name);
    report.bytes_before += int64_t(view.bytes());
    if (IsFloat(view.dtype)) {
      writer.Write(name, Converted(view, dtype, name, weights.Origin()));
    } else {
      writer.Write(name, view);
    }
    ++report.tensors;
    report.bytes_after += info.shape.elements() * int64_t(SizeOf(info.dtype));
    weights.Release(name);
  }
  writer.Commit();
}

void ConvertWeights(const WeightFiles& files, const fs::path& target, DType dtype, const CancelToken* cancel,
                    ConvertReport& report) {
  FolderWeights weights(files.folder);
  // What a training run wrote of itself stays with its weights.
  const auto metadata = weights.files().size() == 1 ? weights.files()[0].metadata()
                                                    : std::map<std::string, std::string>{{"format", "pt"}};
  WriteConverted(weights, weights.Names(), target / WeightsName(files), metadata, dtype, cancel, report);
}

ConvertReport ConvertSingleFile(const fs::path& source, const fs::path& target, DType dtype,
                                const CancelToken* cancel, const Progress& progress) {
  const std::shared_ptr<SingleFile> file = SingleFile::Open(source);
  CheckNewFolder(target);
  const std::vector<std::pair<const char*, const char*>> parts = {
      {"unet", kDiffusersName}, {"vae", kDiffusersName}, {"image_encoder", kTransformersName}};
  for (const auto& [folder, name] : parts) {
    if (!file->Has(folder)) ThrowBadInput(source.string(), "has no tensors of the ", folder);
  }
  AtomicFolder pending(target, Replace::kNo);
  WriteConfigs(file->preset(), pending.temporary(), /*tiny_decoder=*/false);
  ConvertReport report;
  report.note = file->assumed();
  report.unused = file->Unused();
  double done = 0;
  for (const auto& [folder, name] : parts) {
    WriteConverted(*file->Weights(folder), file->Names(folder), pending.temporary() / folder / name,
                   {{"format", "pt"}}, dtype, cancel, report);
    if (progress) progress("convert", ++done / double(parts.size()));
  }
  pending.Commit();
  return report;
}

}  // namespace

ConvertReport ConvertFolder(const fs::path& source, const fs::path& target, DType dtype,
                            const CancelToken* cancel, const Progress& progress) {
  if (PathExists(source) && !IsFolder(source))
    return ConvertSingleFile(source, target, dtype, cancel, progress);
  const ModelFolder folder = ModelFolder::Open(source);
  CheckNewFolder(target);
  AtomicFolder pending(target, Replace::kNo);
  if (folder.is_pipeline) WriteFile(pending.temporary() / "model_index.json", folder.index.dump(2) + "\n");
  ConvertReport report;
  double done = 0;
  for (const ModelComponent& listed : folder.components) {
    const ModelComponent& component = folder.Component(listed.name);
    const fs::path to = folder.is_pipeline ? pending.temporary() / component.name : pending.temporary();
    MakeFolders(to);
    if (!component.config_file.empty())
      WriteFile(to / component.config_file, component.config.dump(2) + "\n");
    if (const auto files = FindWeightFiles(component.folder))
      ConvertWeights(*files, to, dtype, cancel, report);
    if (progress) progress("convert", ++done / double(folder.components.size()));
  }
  pending.Commit();
  return report;
}

}  // namespace mvd
