// The element types of the safetensors format, one table: what a file may say, how large an element is, and
// as which of ours it is read.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "mvd/base/dtype.h"
#include "mvd/base/tensor.h"

namespace mvd {

struct FileType {
  std::string_view name;           // "F8_E4M3": the format's spelling
  int64_t bits = 0;                // of one element; F4 and F6 are packed
  std::optional<DType> reads_as;   // nothing: such a tensor can be listed, and no network takes it
  float (*f8)(uint8_t) = nullptr;  // of the 8-bit floats that are read: the value of one element

  std::string LowerName() const;  // "f8_e4m3": as the program prints it
};

// F64 to F4, and BF16.
bool IsFloat(const FileType& type);
// nullptr where the format has no such type.
const FileType* FindFileType(std::string_view name);
// The type that elements of `dtype` are written as.
const FileType& FileTypeOf(DType dtype);

// Bytes of a tensor's data. Nothing where a size is negative, where the product of the sizes (0 counting as
// 1) or the bytes leave int64, or where the elements do not fill whole bytes.
std::optional<uint64_t> CheckedBytes(const Shape& shape, int64_t bits);
// Whether the last of these is the reason.
bool FillsWholeBytes(const Shape& shape, int64_t bits);

}  // namespace mvd
