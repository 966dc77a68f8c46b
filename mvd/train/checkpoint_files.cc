#include "mvd/train/checkpoint_files.h"

#include <algorithm>
#include <cstring>

#include "mvd/base/atomic_file.h"
#include "mvd/base/error.h"
#include "mvd/base/paths.h"
#include "mvd/io/content_hash.h"
#include "mvd/io/json.h"
#include "mvd/io/mapped_file.h"
#include "mvd/io/safetensors.h"

namespace mvd {
namespace fs = std::filesystem;
namespace {

using nlohmann::json;

constexpr char kFormat[] = "mobilevd checkpoint 1";
constexpr char kState[] = "state.json";

std::string Hash(const void* data, size_t size) {
  return ContentHash({static_cast<const char*>(data), size});
}

// Bytes before the first tensor's: what no tensor's hash covers.
std::string HeaderHash(const fs::path& path, const SafetensorsFile& file) {
  uint64_t begin = file.file_size();
  for (const auto& [name, tensor] : file.tensors()) begin = std::min(begin, tensor.begin);
  const MappedFile map = MappedFile::Open(path);
  return Hash(map.bytes().data(), size_t(begin));
}

json ReadState(const fs::path& folder, const json& entry) {
  const std::string text = ReadFile(folder / kState, kMaxJsonBytes);
  if (Hash(text.data(), text.size()) != entry["header"]) {
    ThrowBadInput((folder / kState).string(), "does not match its manifest's hash: the file is damaged");
  }
  return ParseJson(text, (folder / kState).string());
}

// Checks one file against its entry and hands every tensor to `take`.
template <class Take>
void ReadTensors(const fs::path& path, const json& entry, const Take& take) {
  const SafetensorsFile file = SafetensorsFile::Open(path);
  if (HeaderHash(path, file) != entry["header"]) {
    ThrowBadInput(path.string(), "the header does not match its manifest's hash: the file is damaged");
  }
  const json hashes = entry.value("tensors", json::object());
  if (!hashes.is_object() || hashes.size() != file.tensors().size()) {
    ThrowBadInput(path.string(), "has ", file.tensors().size(), " tensors, its manifest ", hashes.size());
  }
  for (const auto& [name, tensor] : file.tensors()) {
    const TensorView view = file.Get(name);
    if (hashes.value(name, json()) != Hash(view.data, view.bytes())) {
      ThrowBadInput(path.string(), "tensor '", name,
                    "' does not match its manifest's hash: the file is damaged");
    }
    take(name, view);
    file.Release(name);
  }
}

template <class Take>
json ReadAll(const fs::path& folder, const Take& take) {
  if (!IsFolder(folder)) ThrowNotFound(folder.string());
  const json files = ReadCheckpointManifest(folder);
  for (const auto& [name, entry] : files.items()) {
    if (name == kState) continue;
    const std::string stem = fs::path(name).stem().string();
    ReadTensors(folder / name, entry,
                [&](const std::string& tensor, const TensorView& view) { take(stem, tensor, view); });
  }
  return ReadState(folder, files[kState]);
}

Tensor Copy(const TensorView& view) {
  Tensor tensor(view.shape, view.dtype);
  // Bytes: a view into a file may lie unaligned.
  if (view.bytes() > 0) std::memcpy(tensor.data(), view.data, view.bytes());
  return tensor;
}

}  // namespace

void WriteCheckpointFiles(const CheckpointContent& content, const fs::path& folder) {
  json manifest = {{"format", kFormat}, {"step", content.step}, {"files", json::object()}};
  for (const auto& [name, tensors] : content.files) {
    const std::string file_name = name + ".safetensors";
    WriteSafetensors(folder / file_name, tensors, content.metadata);
    json hashes = json::object();
    // Of what is in memory, so that a slip of memory, bus or disk shows when the file is read back.
    for (const auto& [tensor, view] : tensors) hashes[tensor] = Hash(view.data, view.bytes());
    const SafetensorsFile file = SafetensorsFile::Open(folder / file_name);
    manifest["files"][file_name] = {{"bytes", file.file_size()},
                                    {"header", HeaderHash(folder / file_name, file)},
                                    {"tensors", std::move(hashes)}};
  }
  json state = content.state;
  state["step"] = content.step;
  const std::string text = state.dump(1, ' ', false, json::error_handler_t::replace) + "\n";
  WriteFile(folder / kState, text);
  manifest["files"][kState] = {{"bytes", text.size()}, {"header", Hash(text.data(), text.size())}};
  WriteFile(folder / kCheckpointManifest, manifest.dump(1) + "\n");
}

namespace {

// The manifest's "files", whose names are plain and which may be damaged or gone.
json ManifestFiles(const fs::path& folder) {
  const fs::path path = folder / kCheckpointManifest;
  if (!IsRegularFile(path)) ThrowBadInput(path.string(), "is missing: the checkpoint is incomplete");
  const json manifest = ReadJsonFile(path);
  const auto fail = [&](const auto&... reason) { ThrowBadInput(path.string(), reason...); };
  if (!manifest.is_object() || manifest.value("format", json()) != kFormat) {
    fail("key 'format' is absent or unknown, expected \"", kFormat, "\"");
  }
  const std::optional<int64_t> step = CheckpointStep(folder);
  if (step && manifest.value("step", json()) != *step) fail("key 'step' does not match the folder's name");
  const json files = manifest.value("files", json());
  if (!files.is_object() || !files.contains(kState)) fail("key 'files' has no entry for ", kState);
  for (const auto& [name, entry] : files.items()) {
    if (!IsPlainBaseName(name) || !entry.is_object() || !entry.value("bytes", json()).is_number_unsigned() ||
        !entry.value("header", json()).is_string()) {
      fail("the entry of file '", Printable(name), "' is malformed");
    }
  }
  return files;
}

}  // namespace

std::optional<std::set<std::string>> ListedFiles(const fs::path& folder) {
  try {
    const json files = ManifestFiles(folder);
    std::set<std::string> names{kCheckpointManifest};
    for (const auto& [name, entry] : files.items()) names.insert(name);
    return names;
  } catch (const Error&) {
    return std::nullopt;
  }
}

json ReadCheckpointManifest(const fs::path& folder) {
  const json files = ManifestFiles(folder);
  for (const auto& [name, entry] : files.items()) {
    std::error_code code;
    const uintmax_t size = fs::file_size(folder / name, code);
    if (code) ThrowBadInput((folder / name).string(), "is missing, its manifest lists it");
    if (size != entry["bytes"].get<uint64_t>()) {
      ThrowBadInput((folder / name).string(), "has ", size, " bytes, its manifest says ",
                    entry["bytes"].dump());
    }
  }
  return files;
}

Checkpoint LoadCheckpoint(const fs::path& folder) {
  Checkpoint checkpoint;
  checkpoint.folder = folder;
  checkpoint.state = ReadAll(folder, [&](const auto& file, const auto& tensor, const TensorView& view) {
    checkpoint.files[file][tensor] = Copy(view);
  });
  if (!checkpoint.state.is_object() || !checkpoint.state.value("step", json()).is_number_integer()) {
    ThrowBadInput((folder / kState).string(), "has no step");
  }
  checkpoint.step = checkpoint.state["step"].get<int64_t>();
  return checkpoint;
}

void VerifyCheckpoint(const fs::path& folder) {
  ReadAll(folder, [](const auto&, const auto&, const TensorView&) {});
}

}  // namespace mvd
