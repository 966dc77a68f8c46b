#include "mvd/io/file_types.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "mvd/base/check.h"

namespace mvd {
namespace {

// OCP 8-bit floating point, E4M3 as PyTorch's float8_e4m3fn: sign, 4 bits of exponent by 7 too large, 3 of
// fraction; no infinities.
float F8E4M3(uint8_t bits) {
  const int exponent = bits >> 3 & 15, fraction = bits & 7;
  float size =
      exponent ? std::ldexp(1 + float(fraction) / 8, exponent - 7) : std::ldexp(float(fraction) / 8, -6);
  if (exponent == 15 && fraction == 7) size = std::numeric_limits<float>::quiet_NaN();
  return bits & 0x80 ? -size : size;
}

// E5M2 is the upper half of an IEEE half.
float F8E5M2(uint8_t bits) { return HalfToFloat(uint16_t(bits << 8)); }

// bf16 holds every number of the 8-bit floats exactly.
constexpr std::array<FileType, 22> kFileTypes = {{{"F64", 64, DType::kF64},
                                                  {"F32", 32, DType::kF32},
                                                  {"F16", 16, DType::kF16},
                                                  {"BF16", 16, DType::kBF16},
                                                  {"F8_E4M3", 8, DType::kBF16, F8E4M3},
                                                  {"F8_E5M2", 8, DType::kBF16, F8E5M2},
                                                  {"F8_E4M3FNUZ", 8, {}},
                                                  {"F8_E5M2FNUZ", 8, {}},
                                                  {"F8_E8M0", 8, {}},
                                                  {"F6_E2M3", 6, {}},
                                                  {"F6_E3M2", 6, {}},
                                                  {"F4", 4, {}},
                                                  {"C64", 64, {}},
                                                  {"I64", 64, DType::kI64},
                                                  {"U64", 64, {}},
                                                  {"I32", 32, DType::kI32},
                                                  {"U32", 32, {}},
                                                  {"I16", 16, {}},
                                                  {"U16", 16, {}},
                                                  {"I8", 8, {}},
                                                  {"U8", 8, DType::kU8},
                                                  {"BOOL", 8, {}}}};

// The product of the sizes, 0 counting as 1 so that no partial product of the others (a stride, say)
// overflows.
std::optional<int64_t> Product(const Shape& shape, bool* empty) {
  int64_t product = 1;
  *empty = false;
  for (int64_t size : shape.dims()) {
    if (size < 0 || __builtin_mul_overflow(product, std::max<int64_t>(size, 1), &product))
      return std::nullopt;
    *empty = *empty || size == 0;
  }
  return product;
}

}  // namespace

std::string FileType::LowerName() const {
  std::string lower(name);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c;
  return lower;
}

bool IsFloat(const FileType& type) { return type.name.starts_with('F') || type.name == "BF16"; }

const FileType* FindFileType(std::string_view name) {
  const auto* found = std::ranges::find(kFileTypes, name, &FileType::name);
  return found == kFileTypes.end() ? nullptr : found;
}

const FileType& FileTypeOf(DType dtype) {
  const auto* found =
      std::ranges::find_if(kFileTypes, [&](const FileType& t) { return t.reads_as == dtype && !t.f8; });
  MVD_CHECK(found != kFileTypes.end(), "no safetensors name for ", Name(dtype));
  return *found;
}

bool FillsWholeBytes(const Shape& shape, int64_t bits) {
  bool empty = false;
  const std::optional<int64_t> elements = Product(shape, &empty);
  return !elements || empty || *elements % 8 * bits % 8 == 0;
}

std::optional<uint64_t> CheckedBytes(const Shape& shape, int64_t bits) {
  bool empty = false;
  const std::optional<int64_t> elements = Product(shape, &empty);
  int64_t bytes = 0;
  if (!elements || __builtin_mul_overflow(*elements / 8, bits, &bytes) ||
      __builtin_add_overflow(bytes, *elements % 8 * bits / 8, &bytes))
    return std::nullopt;
  if (empty) return 0;
  if (!FillsWholeBytes(shape, bits)) return std::nullopt;
  return uint64_t(bytes);
}

}  // namespace mvd
