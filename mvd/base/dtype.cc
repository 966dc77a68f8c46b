#include "mvd/base/dtype.h"

#include <array>
#include <cstring>

#include "mvd/base/check.h"

namespace mvd {
namespace {

struct DTypeRow {
  DType dtype;
  std::string_view name;
  size_t size;
};

constexpr std::array<DTypeRow, 7> kDTypes = {{{DType::kF32, "f32", 4},
                                              {DType::kBF16, "bf16", 2},
                                              {DType::kF16, "f16", 2},
                                              {DType::kF64, "f64", 8},
                                              {DType::kI64, "i64", 8},
                                              {DType::kI32, "i32", 4},
                                              {DType::kU8, "u8", 1}}};

template <class T>
T Load(const void* source, size_t i) {
  T value;
  std::memcpy(&value, static_cast<const char*>(source) + i * sizeof(T), sizeof(T));
  return value;
}

double LoadAny(DType dtype, const void* source, size_t i) {
  switch (dtype) {
    case DType::kF32:
      return Load<float>(source, i);
    case DType::kBF16:
      return float(Load<BF16>(source, i));
    case DType::kF16:
      return HalfToFloat(Load<uint16_t>(source, i));
    case DType::kF64:
      return Load<double>(source, i);
    case DType::kI64:
      return double(Load<int64_t>(source, i));
    case DType::kI32:
      return Load<int32_t>(source, i);
    case DType::kU8:
      return Load<uint8_t>(source, i);
  }
  return 0;
}

void StoreAny(DType dtype, void* destination, size_t i, double value) {
  char* at = static_cast<char*>(destination) + i * SizeOf(dtype);
  switch (dtype) {
    case DType::kF32: {
      const float f = float(value);
      std::memcpy(at, &f, 4);
      return;
    }
    case DType::kBF16: {
      const BF16 b{float(value)};
      std::memcpy(at, &b, 2);
      return;
    }
    case DType::kF16: {
      const uint16_t h = FloatToHalf(float(value));
      std::memcpy(at, &h, 2);
      return;
    }
    case DType::kF64:
      std::memcpy(at, &value, 8);
      return;
    case DType::kI64:
    case DType::kI32:
    case DType::kU8:
      break;
  }
  MVD_CHECK(false, "cannot convert to ", Name(dtype));
}

}  // namespace

size_t SizeOf(DType dtype) { return kDTypes[size_t(dtype)].size; }
std::string_view Name(DType dtype) { return kDTypes[size_t(dtype)].name; }

std::optional<DType> ParseDType(std::string_view name) {
  for (const DTypeRow& row : kDTypes) {
    if (row.name == name) return row.dtype;
  }
  return std::nullopt;
}

float HalfToFloat(uint16_t half) {
  const uint32_t sign = uint32_t(half & 0x8000) << 16;
  const uint32_t exponent = (half >> 10) & 31;
  const uint32_t mantissa = half & 1023;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000u | (mantissa << 13));
  if (exponent != 0) return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (mantissa << 13));
  // Subnormal: mantissa x 2^-24, exact in f32.
  const float magnitude = float(mantissa) * 0x1p-24f;
  return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(magnitude));
}

uint16_t FloatToHalf(float value) {
  const uint32_t u = std::bit_cast<uint32_t>(value);
  const uint16_t sign = uint16_t((u >> 16) & 0x8000);
  const uint32_t magnitude = u & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return sign | 0x7e00;
  if (magnitude >= 0x477ff000u) return sign | 0x7c00;  // from 65520 on, the nearest is infinity
  if (magnitude < 0x38800000u) {
    // Below 2^-14: the sum with 0.5 leaves the rounded multiple of 2^-24 in the low bits.
    const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
    return sign | uint16_t(std::bit_cast<uint32_t>(shifted) - 0x3f000000u);
  }
  const uint32_t rounded = magnitude + 0xfffu + ((magnitude >> 13) & 1);
  return sign | uint16_t((rounded - 0x38000000u) >> 13);
}

void Convert(DType from, const void* source, DType to, void* destination, size_t count) {
  if (from == to) {
    if (count > 0) std::memcpy(destination, source, count * SizeOf(from));
    return;
  }
  if (from == DType::kBF16 && to == DType::kF32) {
    for (size_t i = 0; i < count; ++i) static_cast<float*>(destination)[i] = float(Load<BF16>(source, i));
    return;
  }
  if (from == DType::kF32 && to == DType::kBF16) {
    for (size_t i = 0; i < count; ++i) static_cast<BF16*>(destination)[i] = BF16(Load<float>(source, i));
    return;
  }
  if (from == DType::kF16 && to == DType::kF32) {
    for (size_t i = 0; i < count; ++i)
      static_cast<float*>(destination)[i] = HalfToFloat(Load<uint16_t>(source, i));
    return;
  }
  for (size_t i = 0; i < count; ++i) StoreAny(to, destination, i, LoadAny(from, source, i));
}

}  // namespace mvd
