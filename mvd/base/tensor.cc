#include "mvd/base/tensor.h"

#include <cstdlib>
#include <cstring>
#include <new>

#include "mvd/base/error.h"

namespace mvd {

std::string ToString(const Shape& shape) {
  std::string text = "(";
  for (int i = 0; i < shape.rank(); ++i) text += (i ? "," : "") + std::to_string(shape[i]);
  return text + ")";
}

int64_t CheckedMul(int64_t a, int64_t b) {
  int64_t product = 0;
  MVD_CHECK(a >= 0 && b >= 0, a, " x ", b);
  if (__builtin_mul_overflow(a, b, &product))
    throw Error(Exit::kOutOfMemory, "",
                StrCat("a size of ", a, " x ", b, " fits no machine: take smaller sizes"));
  return product;
}

void Tensor::Free::operator()(void* p) const { std::free(p); }

Tensor::Tensor(Shape shape, DType dtype) : shape_(std::move(shape)), dtype_(dtype) {
  constexpr size_t kAlignment = 64;
  const size_t bytes = size_t(CheckedMul(shape_.elements(), int64_t(SizeOf(dtype))));
  const size_t rounded = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  data_.reset(std::aligned_alloc(kAlignment, rounded ? rounded : kAlignment));
  if (!data_) throw std::bad_alloc();
}

Tensor Tensor::Zeros(Shape shape, DType dtype) {
  Tensor tensor(std::move(shape), dtype);
  std::memset(tensor.data(), 0, tensor.view().bytes());
  return tensor;
}

Tensor Tensor::FromVector(Shape shape, std::span<const float> values) {
  Tensor tensor(std::move(shape));
  MVD_CHECK_EQ(tensor.elements(), int64_t(values.size()));
  std::copy(values.begin(), values.end(), tensor.f32().begin());
  return tensor;
}

Tensor Tensor::Clone() const {
  Tensor copy(shape_, dtype_);
  std::memcpy(copy.data(), data(), view().bytes());
  return copy;
}

Tensor Tensor::Reshaped(Shape shape) && {
  MVD_CHECK_EQ(shape.elements(), elements());
  shape_ = std::move(shape);
  return std::move(*this);
}

Tensor ConvertTo(const TensorView& source, DType dtype) {
  Tensor result(source.shape, dtype);
  Convert(source.dtype, source.data, dtype, result.data(), size_t(source.shape.elements()));
  return result;
}

namespace {
// Swaps the last two axes of (n, rows, columns).
void TransposeInner(std::span<const float> from, std::span<float> to, int64_t n, int64_t rows,
                    int64_t columns) {
  for (int64_t i = 0; i < n; ++i) {
    const float* source = from.data() + i * rows * columns;
    float* target = to.data() + i * rows * columns;
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t c = 0; c < columns; ++c) target[c * rows + r] = source[r * columns + c];
    }
  }
}
}  // namespace

Tensor ToChannelsLast(const TensorView& nchw) {
  MVD_CHECK_GE(nchw.shape.rank(), 3);
  const int64_t c = nchw.shape[-3], h = nchw.shape[-2], w = nchw.shape[-1];
  Shape shape = nchw.shape;
  shape[-3] = h, shape[-2] = w, shape[-1] = c;
  Tensor result(shape);
  if (result.elements() > 0)
    TransposeInner(nchw.f32(), result.f32(), result.elements() / (c * h * w), c, h * w);
  return result;
}

Tensor ToChannelsFirst(const TensorView& nhwc) {
  MVD_CHECK_GE(nhwc.shape.rank(), 3);
  const int64_t h = nhwc.shape[-3], w = nhwc.shape[-2], c = nhwc.shape[-1];
  Shape shape = nhwc.shape;
  shape[-3] = c, shape[-2] = h, shape[-1] = w;
  Tensor result(shape);
  if (result.elements() > 0)
    TransposeInner(nhwc.f32(), result.f32(), result.elements() / (c * h * w), h * w, c);
  return result;
}

}  // namespace mvd
