#include "mvd/io/safetensors.h"

#include <utility>

#include "mvd/io/json.h"

namespace mvd {

SafetensorsFile SafetensorsFile::FromMap(MappedFile map) {
  SafetensorsHeader header = ParseSafetensorsHeader(map.bytes(), map.bytes().size(), map.path());
  return {std::move(map), std::move(header)};
}

SafetensorsFile SafetensorsFile::Open(const std::filesystem::path& path) {
  return FromMap(MappedFile::Open(path));
}

SafetensorsFile SafetensorsFile::OpenInside(const std::filesystem::path& folder, const std::string& name) {
  return FromMap(MappedFile::OpenInside(folder, name));
}

const SafetensorsTensor& SafetensorsFile::Entry(const std::string& name) const {
  const auto found = header_.tensors.find(name);
  if (found == header_.tensors.end()) ThrowBadInput(path(), "tensor '", Printable(name), "' is missing");
  return found->second;
}

TensorView SafetensorsFile::Get(const std::string& name) const {
  const SafetensorsTensor& entry = Entry(name);
  return {entry.info.dtype, entry.info.shape, map_.bytes().data() + entry.begin};
}

void SafetensorsFile::Release(const std::string& name) const {
  const SafetensorsTensor& entry = Entry(name);
  map_.DropPages(entry.begin, entry.bytes);
}

bool IsAligned(const TensorView& view) {
  return reinterpret_cast<uintptr_t>(view.data) % SizeOf(view.dtype) == 0;
}

}  // namespace mvd
