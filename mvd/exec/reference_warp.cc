// Warp of the reference: what a flow shows of a picture.
#include <algorithm>
#include <cmath>

#include "mvd/exec/reference_ops.h"

namespace mvd::reference {
namespace {

// One channel of frame (b,t) at (x, y), pixel centres at whole numbers; outside, the nearest border's.
double Bilinear(const Tensor& values, int64_t b, int64_t t, double x, double y, int64_t c) {
  const Dims d = DimsOf(values.shape());
  x = std::clamp(x, 0.0, double(d.w - 1)), y = std::clamp(y, 0.0, double(d.h - 1));
  const int64_t x0 = int64_t(x), y0 = int64_t(y);
  const int64_t x1 = std::min(x0 + 1, d.w - 1), y1 = std::min(y0 + 1, d.h - 1);
  const double fx = x - double(x0), fy = y - double(y0);
  const auto at = [&](int64_t row, int64_t column) {
    return double(values.f32()[size_t((((b * d.t + t) * d.h + row) * d.w + column) * d.c + c)]);
  };
  return (1 - fy) * ((1 - fx) * at(y0, x0) + fx * at(y0, x1)) +
         fy * ((1 - fx) * at(y1, x0) + fx * at(y1, x1));
}

// The same of a tensor of another size that fills the frame of height x width.
double Resized(const Tensor& values, int64_t b, int64_t t, int64_t x, int64_t y, int64_t c,
               const Dims& frame) {
  const Dims d = DimsOf(values.shape());
  return Bilinear(values, b, t, (double(x) + 0.5) * double(d.w) / double(frame.w) - 0.5,
                  (double(y) + 0.5) * double(d.h) / double(frame.h) - 0.5, c);
}

}  // namespace

void Warp(const Inputs& in, Tensor& out) {
  const Dims x = DimsOf(in[0]->shape()), y = DimsOf(out.shape());
  const double diagonal = std::hypot(double(x.h), double(x.w));
  size_t index = 0;
  for (int64_t b = 0; b < y.b; ++b) {
    for (int64_t t = 0; t < y.t; ++t) {
      for (int64_t row = 0; row < y.h; ++row) {
        for (int64_t column = 0; column < y.w; ++column) {
          const double dx = Resized(*in[1], b, t, column, row, 0, y) * diagonal;
          const double dy = Resized(*in[1], b, t, column, row, 1, y) * diagonal;
          const double weight = At(in, 2) ? Resized(*in[2], b, t, column, row, 0, y) : 1;
          for (int64_t c = 0; c < y.c; ++c) {
            const double there =
                Bilinear(*in[0], b, x.t == 1 ? 0 : t, double(column) + dx, double(row) + dy, c);
            const double other = At(in, 3) ? Resized(*in[3], b, t, column, row, c, y) : 0;
            out.f32()[index++] = float(other + weight * (there - other));
          }
        }
      }
    }
  }
}

}  // namespace mvd::reference
