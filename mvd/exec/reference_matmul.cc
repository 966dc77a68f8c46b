// Convolutions and linears of the reference: one output element a time, summed in double.
#include "mvd/exec/reference_ops.h"

namespace mvd::reference {
namespace {

// act(sum + bias + residual), for output element (row of batch item b, channel c).
struct Epilogue {
  const Tensor* bias;
  const Tensor* residual;
  Act act;
  int64_t channels;

  double Bias(int64_t batch, int64_t c) const {
    if (!bias) return 0;
    const bool per_item = bias->elements() > channels;
    return bias->f32()[size_t((per_item ? batch * channels : 0) + c)];
  }
  float Finish(double sum, int64_t batch, int64_t c, size_t index) const {
    return float(Activate(act, sum + Bias(batch, c) + (residual ? residual->f32()[index] : 0)));
  }
};

}  // namespace

void Conv2d(const Node& node, const Inputs& in, const Threads& threads, Tensor& out) {
  const auto& a = node.as<Conv2dAttrs>();
  const Dims x = DimsOf(in[0]->shape()), y = DimsOf(out.shape());
  const int64_t kh = in[1]->shape()[2], kw = in[1]->shape()[3];
  const auto source = in[0]->f32(), weight = in[1]->f32();
  const Epilogue epilogue{At(in, 2), At(in, 3), a.act, y.c};
  ParallelFor(threads, y.frames() * y.h, [&](int64_t row, int) {
    const int64_t frame = row / y.h, oy = row % y.h;
    for (int64_t ox = 0; ox < y.w; ++ox) {
      for (int64_t o = 0; o < y.c; ++o) {
        double sum = 0;
        for (int64_t ky = 0; ky < kh; ++ky) {
          const int64_t iy = oy * a.stride + ky - a.top;
          if (iy < 0 || iy >= x.h) continue;
          for (int64_t kx = 0; kx < kw; ++kx) {
            const int64_t ix = ox * a.stride + kx - a.left;
            if (ix < 0 || ix >= x.w) continue;
            const float* pixel = &source[size_t(((frame * x.h + iy) * x.w + ix) * x.c)];
            for (int64_t i = 0; i < x.c; ++i) {
              sum += double(pixel[i]) * weight[size_t(((o * x.c + i) * kh + ky) * kw + kx)];
            }
          }
        }
        const size_t index = size_t((row * y.w + ox) * y.c + o);
        out.f32()[index] = epilogue.Finish(sum, frame / y.t, o, index);
      }
    }
  });
}

void ConvTemporal(const Node& node, const Inputs& in, const Threads& threads, Tensor& out) {
  const Dims x = DimsOf(in[0]->shape()), y = DimsOf(out.shape());
  const int64_t taps = in[1]->shape()[2], pixels = x.h * x.w;
  const auto source = in[0]->f32(), weight = in[1]->f32();
  const Epilogue epilogue{At(in, 2), At(in, 3), node.as<ConvAttrs>().act, y.c};
  ParallelFor(threads, y.frames() * pixels, [&](int64_t row, int) {
    const int64_t batch = row / (y.t * pixels), t = row / pixels % y.t, pixel = row % pixels;
    for (int64_t o = 0; o < y.c; ++o) {
      double sum = 0;
      for (int64_t k = 0; k < taps; ++k) {
        const int64_t frame = t + k - taps / 2;
        if (frame < 0 || frame >= x.t) continue;
        const float* values = &source[size_t(((batch * x.t + frame) * pixels + pixel) * x.c)];
        for (int64_t i = 0; i < x.c; ++i) sum += double(values[i]) * weight[size_t((o * x.c + i) * taps + k)];
      }
      const size_t index = size_t(row * y.c + o);
      out.f32()[index] = epilogue.Finish(sum, batch, o, index);
    }
  });
}

void Linear(const Node& node, const Inputs& in, const Threads& threads, Tensor& out) {
  const Act act = node.as<LinearAttrs>().act;
  const Dims x = DimsOf(in[0]->shape()), y = DimsOf(out.shape());
  const auto source = in[0]->f32(), weight = in[1]->f32();
  const int64_t outputs = in[1]->shape()[0], rows_an_item = x.t * x.h * x.w;
  const Epilogue epilogue{At(in, 2), At(in, 3), act, outputs};
  const auto dot = [&](int64_t row, int64_t o) {
    double sum = 0;
    for (int64_t i = 0; i < x.c; ++i)
      sum += double(source[size_t(row * x.c + i)]) * weight[size_t(o * x.c + i)];
    return sum;
  };
  ParallelFor(threads, x.tokens(), [&](int64_t row, int) {
    const int64_t batch = row / rows_an_item;
    for (int64_t o = 0; o < y.c; ++o) {
      const size_t index = size_t(row * y.c + o);
      if (act == Act::kGeglu) {  // the first half of the outputs are values, the second gates
        const double value = dot(row, o) + epilogue.Bias(batch, o);
        const double gate = dot(row, o + y.c) + epilogue.Bias(batch, o + y.c);
        out.f32()[index] = float(value * Activate(Act::kGelu, gate));
      } else {
        out.f32()[index] = epilogue.Finish(dot(row, o), batch, o, index);
      }
    }
  });
}

void WeightProduct(const Node&, const Inputs& in, const Threads& threads, Tensor& out) {
  const Shape &a = in[0]->shape(), &b = in[1]->shape();
  const bool right = b.rank() == 3;
  // Both kinds as out[o,j,r] = sum over k of factor[n,o,k] x[n k] by block n. On the left there is one `o`
  // for each output row and r runs over the rest of b; on the right, over the rest of a.
  const int64_t inner = right ? b[1] : a[-1];
  const int64_t rest = right ? a.elements() / (a[0] * a[1]) : b.elements() / b[0];
  const int64_t outputs = right ? b[2] : a[-2];  // of one block
  const auto x = in[0]->f32(), y = in[1]->f32();
  const int64_t rows = out.elements() / rest;
  ParallelFor(threads, rows, [&](int64_t row, int) {
    const int64_t columns = right ? out.shape()[1] : 1;
    const int64_t o = row / columns,
                  j = right ? row % columns : row;  // the output's first two axes, or its first
    const int64_t block = j / outputs, i = j % outputs;
    for (int64_t r = 0; r < rest; ++r) {
      double sum = 0;
      for (int64_t k = 0; k < inner; ++k) {
        const int64_t full = block * inner + k;
        sum += right ? double(x[size_t((o * a[1] + full) * rest + r)]) *
                           y[size_t((block * inner + k) * outputs + i)]
                     : double(x[size_t(row * inner + k)]) * y[size_t(full * rest + r)];
      }
      out.f32()[size_t(row * rest + r)] = float(sum);
    }
  });
}

}  // namespace mvd::reference
