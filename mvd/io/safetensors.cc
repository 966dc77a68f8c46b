#include "mvd/io/safetensors.h"

#include <algorithm>
#include <array>
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
  const uint8_t* stored = map_.bytes().data() + entry.begin;
  if (!entry.type->reads_as) {
    ThrowBadInput(path(), "tensor '", Printable(name), "' is stored as ", entry.type->name,
                  ", which no network computes with");
  }
  if (!entry.type->f8) return {entry.info.dtype, entry.info.shape, stored};
  const std::lock_guard lock(widened_->mutex);
  std::vector<uint16_t>& wide = widened_->tensors[name];
  if (wide.empty()) {
    wide.resize(size_t(entry.bytes));
    std::array<uint16_t, 256> table;
    for (int i = 0; i < 256; ++i) table[size_t(i)] = BF16(entry.type->f8(uint8_t(i))).bits;
    std::transform(stored, stored + entry.bytes, wide.begin(), [&](uint8_t code) { return table[code]; });
  }
  return {entry.info.dtype, entry.info.shape, wide.data()};
}

void SafetensorsFile::Release(const std::string& name) const {
  const SafetensorsTensor& entry = Entry(name);
  map_.DropPages(entry.begin, entry.bytes);
  if (!entry.type->f8) return;
  const std::lock_guard lock(widened_->mutex);
  widened_->tensors.erase(name);
}

bool IsAligned(const TensorView& view) {
  return reinterpret_cast<uintptr_t>(view.data) % SizeOf(view.dtype) == 0;
}

}  // namespace mvd
