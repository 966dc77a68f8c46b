#include "mvd/engine/random_weights.h"

#include <cmath>

#include "mvd/base/rng.h"

namespace mvd {
namespace {

uint64_t HashName(const std::string& name) {  // FNV-1a
  uint64_t hash = 0xcbf29ce484222325u;
  for (unsigned char c : name) hash = (hash ^ c) * 0x100000001b3u;
  return hash;
}

struct Range {
  float middle, radius;
};

// Vectors named "weight" are a norm's gammas; the rest of the vectors are biases, mix factors and embeddings.
Range RangeOf(const std::string& name, const Shape& shape) {
  if (shape.rank() <= 1) return name.ends_with(".weight") ? Range{1, 0.1f} : Range{0, 0.1f};
  return {0, 1 / std::sqrt(float(shape.elements() / shape[0]))};
}

void Fill(uint64_t seed, uint64_t stream, const Range& range, const Threads& threads, Tensor& tensor) {
  constexpr int64_t kPiece = 1 << 16;
  const int64_t n = tensor.elements();
  const std::array<uint32_t, 2> key = {uint32_t(seed), uint32_t(seed >> 32)};
  ParallelFor(threads, (n + kPiece - 1) / kPiece, [&](int64_t piece, int) {
    const int64_t end = std::min(n, (piece + 1) * kPiece);
    for (int64_t i = piece * kPiece; i < end; i += 8) {  // eight 16-bit uniforms a counter
      const auto words = Philox4x32(
          {uint32_t(i / 8), uint32_t((i / 8) >> 32), uint32_t(stream), uint32_t(stream >> 32)}, key);
      for (int64_t j = i; j < std::min(end, i + 8); ++j) {
        const uint32_t bits = (words[size_t((j - i) / 2)] >> (16 * ((j - i) % 2))) & 0xffff;
        const float value = range.middle + range.radius * (float(bits) * 0x1p-15f - 1);
        if (tensor.dtype() == DType::kBF16)
          static_cast<BF16*>(tensor.data())[j] = BF16(value);
        else
          static_cast<float*>(tensor.data())[j] = value;
      }
    }
  });
}

}  // namespace

RandomWeights::RandomWeights(const Graph& graph, uint64_t seed, DType dtype, const Threads& threads)
    : seed_(seed), threads_(threads) {
  for (ValueId id : graph.All(Op::kWeight)) tensors_[graph.node(id).name] = {dtype, graph.shape(id)};
}

std::optional<TensorInfo> RandomWeights::Find(const std::string& name) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) return std::nullopt;
  return found->second;
}

TensorView RandomWeights::Get(const std::string& name) {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) ThrowBadInput(Origin(), "tensor '", name, "' is missing");
  // Values are f32 or bf16 by construction; other types are rounded from f32.
  const TensorInfo& info = found->second;
  const bool direct = info.dtype == DType::kBF16 || info.dtype == DType::kF32;
  Tensor tensor(info.shape, direct ? info.dtype : DType::kF32);
  Fill(seed_, HashName(name), RangeOf(name, info.shape), threads_, tensor);
  if (!direct) tensor = ConvertTo(tensor, info.dtype);
  return (held_[name] = std::move(tensor)).view();
}

}  // namespace mvd
