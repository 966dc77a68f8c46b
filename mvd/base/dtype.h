// Element types of files and activations, and the conversions between them.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace mvd {

enum class DType { kF32, kBF16, kF16, kF64, kI64, kI32, kU8 };

size_t SizeOf(DType dtype);
std::string_view Name(DType dtype);  // "f32", "bf16", ...: the command line's spelling
std::optional<DType> ParseDType(std::string_view name);

// bfloat16: the upper half of an f32; rounds to nearest even, NaN stays NaN.
struct BF16 {
  uint16_t bits = 0;
  BF16() = default;
  explicit BF16(float value) {
    const uint32_t u = std::bit_cast<uint32_t>(value);
    const bool nan = (u & 0x7fffffffu) > 0x7f800000u;
    bits = nan ? uint16_t((u >> 16) | 0x40) : uint16_t((u + 0x7fffu + ((u >> 16) & 1)) >> 16);
  }
  explicit operator float() const { return std::bit_cast<float>(uint32_t(bits) << 16); }
};

float HalfToFloat(uint16_t half);
uint16_t FloatToHalf(float value);  // round to nearest even; overflow gives infinity

// Converts `count` elements; source and destination do not overlap. Integer types are read only.
void Convert(DType from, const void* source, DType to, void* destination, size_t count);

}  // namespace mvd
