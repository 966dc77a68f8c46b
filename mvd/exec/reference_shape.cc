// Pointwise, broadcasting and rearranging ops of the reference.
#include <algorithm>
#include <limits>

#include "mvd/exec/reference_ops.h"

namespace mvd::reference {

double Activate(Act act, double x) {
  switch (act) {
    case Act::kNone:
      return x;
    case Act::kSilu:
      return x / (1 + std::exp(-x));
    case Act::kGelu:
      return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0)));
    case Act::kQuickGelu:
      return x / (1 + std::exp(-1.702 * x));
    case Act::kRelu:
      return std::max(x, 0.0);
    case Act::kTanh:
      return std::tanh(x);
    case Act::kGeglu:
      break;
  }
  MVD_CHECK(false, "geglu takes two numbers");
  return 0;
}

namespace {

// DDPM's sinusoid with cosine first: [cos(x f_i) | sin(x f_i)], f_i = 10000^(-i/half). diffusers forms the
// angle in f32, which matters for large x: so does this.
void Timestep(const Node& node, const Tensor& x, Tensor& out) {
  const int64_t dim = node.as<TimestepAttrs>().dim, half = dim / 2;
  for (int64_t n = 0; n < x.elements(); ++n) {
    for (int64_t i = 0; i < half; ++i) {
      const float frequency = std::exp(-std::log(10000.0f) * float(i) / float(half));
      const float angle = x.f32()[size_t(n)] * frequency;
      out.f32()[size_t(n * dim + i)] = float(std::cos(double(angle)));
      out.f32()[size_t(n * dim + half + i)] = float(std::sin(double(angle)));
    }
  }
}

void Geglu(const Tensor& x, Tensor& out) {
  const int64_t c = out.shape()[-1];
  for (int64_t i = 0; i < out.elements(); ++i) {
    const int64_t base = i / c * 2 * c + i % c;
    out.f32()[size_t(i)] = float(x.f32()[size_t(base)] * Activate(Act::kGelu, x.f32()[size_t(base + c)]));
  }
}

void Blend(const Node& node, const Inputs& in, Tensor& out) {
  const double sigmoid = 1 / (1 + std::exp(-double(in[2]->f32()[0])));
  const double share = node.as<BlendAttrs>().swapped ? sigmoid : 1 - sigmoid;
  const double gate = in.size() > 3 && in[3] ? double(in[3]->f32()[0]) : 1;
  for (size_t i = 0; i < size_t(out.elements()); ++i) {
    out.f32()[i] = float((1 - gate * share) * in[0]->f32()[i] + gate * share * in[1]->f32()[i]);
  }
}

// Walks the output's elements in order; `source` maps each to an element of an input.
template <class F>
void ForEach(const Tensor& out, F f) {
  const Dims d = DimsOf(out.shape());
  size_t index = 0;
  for (int64_t b = 0; b < d.b; ++b) {
    for (int64_t t = 0; t < d.t; ++t) {
      for (int64_t y = 0; y < d.h; ++y) {
        for (int64_t x = 0; x < d.w; ++x) {
          for (int64_t c = 0; c < d.c; ++c) f(index++, Shape{b, t, y, x, c});
        }
      }
    }
  }
}

size_t IndexOf(const Dims& d, const Shape& at) {
  return size_t((((at[0] * d.t + at[1]) * d.h + at[2]) * d.w + at[3]) * d.c + at[4]);
}

// The element that broadcasting reads: axes of size 1 are repeated.
float Broadcasted(const Tensor& x, const Shape& at) {
  const Dims d = DimsOf(x.shape());
  const auto clip = [](int64_t i, int64_t n) { return n == 1 ? 0 : i; };
  return x.f32()[IndexOf(
      d, {clip(at[0], d.b), clip(at[1], d.t), clip(at[2], d.h), clip(at[3], d.w), clip(at[4], d.c)})];
}

void Concat(const Node& node, const Inputs& in, Tensor& out) {
  const int axis = int(node.as<AxisAttrs>().axis);
  ForEach(out, [&](size_t index, Shape at) {
    for (const Tensor* part : in) {
      const Dims d = DimsOf(part->shape());
      const int64_t size = Shape{d.b, d.t, d.h, d.w, d.c}[axis];
      if (at[axis] < size) {
        out.f32()[index] = part->f32()[IndexOf(d, at)];
        return;
      }
      at[axis] -= size;
    }
  });
}

void MaxPool(const Node& node, const Tensor& x, Tensor& out) {
  const auto& a = node.as<PoolAttrs>();
  const Dims d = DimsOf(x.shape());
  ForEach(out, [&](size_t index, const Shape& at) {
    float largest = -std::numeric_limits<float>::infinity();
    for (int64_t t = at[1] * a.frames; t < std::min(d.t, (at[1] + 1) * a.frames); ++t) {
      for (int64_t h = at[2] * a.height; h < std::min(d.h, (at[2] + 1) * a.height); ++h) {
        for (int64_t w = at[3] * a.width; w < std::min(d.w, (at[3] + 1) * a.width); ++w)
          largest = std::max(largest, x.f32()[IndexOf(d, {at[0], t, h, w, at[4]})]);
      }
    }
    out.f32()[index] = largest;
  });
}

}  // namespace

void Pointwise(const Node& node, const Inputs& in, Tensor& out) {
  const auto map = [&](auto f) {
    for (size_t i = 0; i < size_t(out.elements()); ++i) out.f32()[i] = float(f(double(in[0]->f32()[i])));
  };
  switch (node.op) {
    case Op::kActivation:
      return map([&](double x) { return Activate(node.as<ActivationAttrs>().act, x); });
    case Op::kAffine: {
      const auto& a = node.as<AffineAttrs>();
      return map([&](double x) { return x * a.scale + a.shift; });
    }
    case Op::kGeglu:
      return Geglu(*in[0], out);
    case Op::kBlend:
      return Blend(node, in, out);
    case Op::kTimestep:
      return Timestep(node, *in[0], out);
    case Op::kFrameIndices:
      for (size_t i = 0; i < size_t(out.elements()); ++i) out.f32()[i] = float(i);
      return;
    default:
      MVD_CHECK(false, Name(node.op), " is not pointwise");
  }
}

void Broadcast(const Node& node, const Inputs& in, Tensor& out) {
  ForEach(out, [&](size_t index, const Shape& at) {
    const float a = Broadcasted(*in[0], at);
    const float b = node.op == Op::kExpand ? 0 : Broadcasted(*in[1], at);
    out.f32()[index] = node.op == Op::kMultiply ? a * b : a + b;
  });
}

void Rearrange(const Node& node, const Inputs& in, Tensor& out) {
  const Dims d = DimsOf(in[0]->shape());
  const auto source = in[0]->f32();
  switch (node.op) {
    case Op::kReshape:
      std::copy(source.begin(), source.end(), out.f32().begin());
      return;
    case Op::kConcat:
      return Concat(node, in, out);
    case Op::kSlice:
      return ForEach(out, [&](size_t index, Shape at) {
        at[int(node.as<SliceAttrs>().axis)] += node.as<SliceAttrs>().start;
        out.f32()[index] = source[IndexOf(d, at)];
      });
    case Op::kResizeNearest: {
      const Dims y = DimsOf(out.shape());
      return ForEach(out, [&](size_t index, const Shape& at) {
        out.f32()[index] =
            source[IndexOf(d, {at[0], at[1] * d.t / y.t, at[2] * d.h / y.h, at[3] * d.w / y.w, at[4]})];
      });
    }
    case Op::kMaxPool:
      return MaxPool(node, *in[0], out);
    default:
      MVD_CHECK(false, Name(node.op), " does not rearrange");
  }
}

}  // namespace mvd::reference
