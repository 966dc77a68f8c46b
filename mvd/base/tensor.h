// Shapes, and dense row-major tensors: a view (borrowed) and an owner.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "mvd/base/check.h"
#include "mvd/base/dtype.h"

namespace mvd {

// Dimensions, outermost first. A scalar has rank 0 and one element.
class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<int64_t> dims) : dims_(dims) {}
  explicit Shape(std::vector<int64_t> dims) : dims_(std::move(dims)) {}

  int rank() const { return int(dims_.size()); }
  // Negative axes count from the end: shape[-1] is the innermost dimension.
  int64_t operator[](int axis) const { return dims_[Index(axis)]; }
  int64_t& operator[](int axis) { return dims_[Index(axis)]; }
  const std::vector<int64_t>& dims() const { return dims_; }
  int64_t elements() const {
    int64_t n = 1;
    for (int64_t d : dims_) n *= d;
    return n;
  }
  bool operator==(const Shape&) const = default;

 private:
  size_t Index(int axis) const {
    const int i = axis < 0 ? axis + rank() : axis;
    MVD_CHECK(i >= 0 && i < rank(), "axis ", axis, " of rank ", rank());
    return size_t(i);
  }
  std::vector<int64_t> dims_;
};

std::string ToString(const Shape& shape);  // "(1,14,32,64,320)"
inline std::ostream& operator<<(std::ostream& out, const Shape& shape) { return out << ToString(shape); }

// Product of two non-negative sizes, or an InternalError where it leaves int64: for sizes already validated.
int64_t CheckedMul(int64_t a, int64_t b);

// Borrowed, read-only, contiguous.
struct TensorView {
  DType dtype = DType::kF32;
  Shape shape;
  const void* data = nullptr;

  size_t bytes() const { return size_t(shape.elements()) * SizeOf(dtype); }
  std::span<const float> f32() const {
    MVD_CHECK(dtype == DType::kF32, "tensor is ", Name(dtype));
    return {static_cast<const float*>(data), size_t(shape.elements())};
  }
};

// Borrowed and writable, contiguous.
struct MutableTensorView {
  DType dtype = DType::kF32;
  Shape shape;
  void* data = nullptr;

  std::span<float> f32() const {
    MVD_CHECK(dtype == DType::kF32, "tensor is ", Name(dtype));
    return {static_cast<float*>(data), size_t(shape.elements())};
  }
};

// Owning, contiguous, 64-byte aligned. Movable; copied only by Clone.
class Tensor {
 public:
  Tensor() = default;
  explicit Tensor(Shape shape, DType dtype = DType::kF32);  // uninitialised
  static Tensor Zeros(Shape shape, DType dtype = DType::kF32);
  static Tensor FromVector(Shape shape, std::span<const float> values);

  const Shape& shape() const { return shape_; }
  DType dtype() const { return dtype_; }
  int64_t elements() const { return shape_.elements(); }
  void* data() { return data_.get(); }
  const void* data() const { return data_.get(); }
  std::span<float> f32() { return mutable_view().f32(); }
  std::span<const float> f32() const { return view().f32(); }
  TensorView view() const { return {dtype_, shape_, data_.get()}; }
  MutableTensorView mutable_view() { return {dtype_, shape_, data_.get()}; }
  operator TensorView() const { return view(); }

  Tensor Clone() const;
  Tensor Reshaped(Shape shape) &&;  // the same elements under another shape

 private:
  struct Free {
    void operator()(void* p) const;
  };
  Shape shape_;
  DType dtype_ = DType::kF32;
  std::unique_ptr<void, Free> data_;
};

// A copy in another element type.
Tensor ConvertTo(const TensorView& source, DType dtype);

// (N,C,H,W) <-> (N,H,W,C), any leading N; f32. The library computes channels last, files store channels
// first.
Tensor ToChannelsLast(const TensorView& nchw);
Tensor ToChannelsFirst(const TensorView& nhwc);

}  // namespace mvd
