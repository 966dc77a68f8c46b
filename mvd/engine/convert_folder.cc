#include "mvd/engine/convert_folder.h"

#include <cmath>

#include "mvd/base/atomic_file.h"
#include "mvd/base/error.h"
#include "mvd/base/paths.h"
#include "mvd/engine/unet_folder.h"
#include "mvd/io/model_folder.h"
#include "mvd/io/safetensors.h"

namespace mvd {
namespace fs = std::filesystem;
namespace {

Tensor Converted(const TensorView& view, DType dtype, const std::string& name, const std::string& origin) {
  Tensor tensor = ConvertTo(view, dtype);
  const Tensor back = ConvertTo(tensor.view(), DType::kF32), original = ConvertTo(view, DType::kF32);
  for (size_t i = 0; i < back.f32().size(); ++i) {
    if (std::isfinite(original.f32()[i]) && !std::isfinite(back.f32()[i]))
      ThrowBadInput(origin, "tensor '", name, "' holds ", original.f32()[i], ", too large for ", Name(dtype));
  }
  return tensor;
}

// transformers' loaders look for another name than diffusers'.
std::string WeightsName(const fs::path& source) {
  const auto files = FindWeightFiles(source);
  const std::string name = files->index.empty() ? files->files[0] : files->index;
  return name.starts_with("model.") ? "model.safetensors" : "diffusion_pytorch_model.safetensors";
}

void ConvertWeights(const fs::path& source, const fs::path& target, DType dtype, const CancelToken* cancel,
                    ConvertReport& report) {
  FolderWeights weights(source);
  std::map<std::string, TensorInfo> tensors;
  for (const std::string& name : weights.Names()) tensors[name] = {dtype, weights.Find(name)->shape};
  // What a training run wrote of itself stays with its weights.
  const auto metadata = weights.files().size() == 1 ? weights.files()[0].metadata()
                                                    : std::map<std::string, std::string>{{"format", "pt"}};
  SafetensorsWriter writer(target / WeightsName(source), tensors, metadata);
  for (const auto& [name, info] : tensors) {  // one in memory at a time
    if (cancel) cancel->Poll();
    const TensorView view = weights.Get(name);
    const Tensor converted = Converted(view, dtype, name, weights.Origin());
    writer.Write(name, converted.view());
    ++report.tensors;
    report.bytes_before += int64_t(view.bytes()), report.bytes_after += int64_t(converted.view().bytes());
    weights.Release(name);
  }
  writer.Commit();
}

}  // namespace

ConvertReport ConvertFolder(const fs::path& source, const fs::path& target, DType dtype,
                            const CancelToken* cancel, const Progress& progress) {
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
    if (FindWeightFiles(component.folder)) ConvertWeights(component.folder, to, dtype, cancel, report);
    if (progress) progress("convert", ++done / double(folder.components.size()));
  }
  pending.Commit();
  return report;
}

}  // namespace mvd
