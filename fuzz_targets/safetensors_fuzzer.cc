// Any bytes as a safetensors file: an Error of one line, or tensors that all lie inside the file, apart, each
// readable to its last byte. Every other input is taken without its length field, which random bytes rarely
// get right.
#include <vector>

#include "fuzz_targets/fuzzing.h"
#include "mvd/io/safetensors.h"

namespace {

using mvd::Require;

void Check(const std::vector<uint8_t>& file) {
  const mvd::SafetensorsHeader header = mvd::ParseSafetensorsHeader(file, file.size(), "fuzz");
  uint64_t total = 0;
  volatile uint8_t sum = 0;
  for (const auto& [name, tensor] : header.tensors) {
    Require(tensor.begin >= header.data_begin && tensor.begin <= file.size());
    Require(tensor.bytes <= file.size() - tensor.begin);
    Require(name.size() <= mvd::kMaxSafetensorsNameBytes &&
            tensor.info.shape.rank() <= mvd::kMaxSafetensorsRank);
    Require(mvd::CheckedBytes(tensor.info.shape, tensor.type->bits) == tensor.bytes);
    for (uint64_t i = 0; i < tensor.bytes; ++i) sum = uint8_t(sum + file[tensor.begin + i]);
    total += tensor.bytes;
  }
  Require(header.data_begin + total == file.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // First byte odd: the rest is a header's text, whose length is prepended, and after a NUL byte the data.
  std::vector<uint8_t> file;
  if (size > 0 && data[0] % 2 == 1) {
    const void* end = std::memchr(data + 1, 0, size - 1);
    const size_t length = end ? size_t(static_cast<const uint8_t*>(end) - data) - 1 : size - 1;
    const uint64_t field = length;
    file.resize(sizeof(field));
    std::memcpy(file.data(), &field, sizeof(field));
    file.insert(file.end(), data + 1, data + 1 + length);
    if (end) file.insert(file.end(), data + 2 + length, data + size);
  } else if (size > 0) {
    file.assign(data + 1, data + size);
  }
  mvd::BadInputAtMost([&] { Check(file); });
  return 0;
}
