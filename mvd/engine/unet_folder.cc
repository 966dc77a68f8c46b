#include "mvd/engine/unet_folder.h"

#include "mvd/base/atomic_file.h"
#include "mvd/base/error.h"
#include "mvd/base/file_error.h"
#include "mvd/base/paths.h"
#include "mvd/io/model_links.h"
#include "mvd/io/safetensors.h"
#include "mvd/models/taesd.h"

namespace mvd {
namespace fs = std::filesystem;
namespace {

constexpr const char* kWeights = "diffusion_pytorch_model.safetensors";

// The file itself under another name, or a copy where the file system has no such links. Links are followed
// as far as the model's own folder goes: the Hub's cache is made of them, and the new folder must not lead
// out of itself.
void LinkOrCopy(const fs::path& from, const fs::path& to) {
  std::error_code code;
  const fs::path file = ResolveInModel(from.parent_path(), from.filename().string());
  fs::create_hard_link(file, to, code);
  if (code) fs::copy_file(file, to, code);
  if (code) ThrowUnwritable(to.string(), code.value());
}

// The files right inside a component's folder; diffusers' components have no deeper ones.
void CopyFiles(const fs::path& from, const fs::path& to) {
  MakeFolders(to);
  for (const fs::path& file : ListFolder(from))
    if (IsRegularFile(file)) LinkOrCopy(file, to / file.filename());
}

void CopyOthers(const UnetFolder& source, const fs::path& to) {
  for (const ModelComponent& component : source.folder.components)
    if (component.folder != source.unet) CopyFiles(component.folder, to / component.name);
  for (const fs::path& file : ListFolder(source.folder.path)) {
    const std::string name = file.filename().string();
    if (IsRegularFile(file) && (name == "model_index.json" || name.starts_with("LICENSE")))
      LinkOrCopy(file, to / name);
  }
}

// Keys that this program does not know stay; those that it knows are the new config's.
nlohmann::json NewConfig(const UnetFolder& source, const SvdUnetConfig& config) {
  nlohmann::json json = source.config_json;
  const nlohmann::json known = WriteConfig(source.config);
  for (const auto& [key, value] : known.items()) json.erase(key);
  json.update(WriteConfig(config));
  return json;
}

}  // namespace

UnetFolder UnetFolder::Open(const fs::path& path) {
  UnetFolder result;
  result.folder = ModelFolder::Open(path);
  for (const ModelComponent& listed : result.folder.components) result.folder.Component(listed.name);
  const ModelComponent& unet = result.folder.Component("unet");
  result.unet = unet.folder;
  result.config_file = (unet.folder / unet.config_file).string();
  if (unet.class_name != SvdUnetConfig::kClassName)
    ThrowBadInput(result.config_file, "is of class '", Printable(unet.class_name), "', expected '",
                  SvdUnetConfig::kClassName, "'");
  result.config_json = unet.config;
  result.config = ReadConfig<SvdUnetConfig>(unet.config, result.config_file);
  return result;
}

bool UnetFolder::HasTinyDecoder() const {
  for (const ModelComponent& component : folder.components)
    if (component.class_name == TaesdConfig::kClassName) return true;
  return false;
}

void CheckNewFolder(const fs::path& target) {
  if (PathExists(target) && !IsEmptyFolder(target))
    ThrowUsage(target.string(), " exists and is not an empty folder");
}

void WriteUnetFolder(const UnetFolder& source, const SvdUnetConfig& config, UnetRewrite& rewrite,
                     const fs::path& target, const Threads& threads, const CancelToken* cancel,
                     const Progress& progress) {
  CheckNewFolder(target);
  AtomicFolder pending(target, Replace::kNo);
  const fs::path folder = pending.temporary();
  const fs::path unet = source.folder.is_pipeline ? folder / "unet" : folder;
  MakeFolders(unet);
  if (source.folder.is_pipeline) CopyOthers(source, folder);  // first: files may be refused
  {
    SafetensorsWriter writer(unet / kWeights, rewrite.after(), {{"format", "pt"}});
    rewrite.Run([&](const std::string& name, const TensorView& tensor) { writer.Write(name, tensor); },
                threads, cancel, progress);
    writer.Commit();
  }
  WriteFile(unet / "config.json", NewConfig(source, config).dump(2) + "\n");
  pending.Commit();
}

}  // namespace mvd
