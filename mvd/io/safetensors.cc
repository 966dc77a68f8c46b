#include "mvd/io/safetensors.h"

#include <algorithm>
#include <utility>

#include "mvd/io/json.h"

namespace mvd {
namespace {

// OCP 8-bit floating point, E4M3: sign, 4 bits of exponent by 7 too large, 3 of fraction; no infinities.
// bf16 has 8 and 7 bits at 127.
uint16_t F8ToBF16(uint8_t bits) {
  const uint16_t sign = uint16_t((bits & 0x80) << 8);
  int exponent = bits >> 3 & 15, fraction = bits & 7;
  if (exponent == 15 && fraction == 7) return sign | 0x7fc0;  // NaN
  if (exponent == 0) {
    if (fraction == 0) return sign;
    for (exponent = 1; !(fraction & 8); --exponent) fraction <<= 1;  // bf16 has a normal number for it
    fraction &= 7;
  }
  return uint16_t(sign | (exponent + 120) << 7 | fraction << 4);
}

}  // namespace

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
  if (!entry.is_f8) return {entry.info.dtype, entry.info.shape, stored};
  const std::lock_guard lock(widened_->mutex);
  std::vector<uint16_t>& wide = widened_->tensors[name];
  if (wide.empty()) {
    wide.resize(size_t(entry.bytes));
    std::transform(stored, stored + entry.bytes, wide.begin(), F8ToBF16);
  }
  return {entry.info.dtype, entry.info.shape, wide.data()};
}

void SafetensorsFile::Release(const std::string& name) const {
  const SafetensorsTensor& entry = Entry(name);
  map_.DropPages(entry.begin, entry.bytes);
  if (!entry.is_f8) return;
  const std::lock_guard lock(widened_->mutex);
  widened_->tensors.erase(name);
}

bool IsAligned(const TensorView& view) {
  return reinterpret_cast<uintptr_t>(view.data) % SizeOf(view.dtype) == 0;
}

}  // namespace mvd
