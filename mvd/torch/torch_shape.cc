// Pointwise and rearranging ops.
#include <cmath>

#include "mvd/base/check.h"
#include "mvd/torch/torch_ops.h"

namespace mvd::torch_ops {

at::Tensor Activate(Act act, const at::Tensor& x) {
  switch (act) {
    case Act::kNone:
      return x;
    case Act::kSilu:
      return at::silu(x);
    case Act::kGelu:
      return at::gelu(x);
    case Act::kQuickGelu:
      return x * at::sigmoid(x * 1.702);
    case Act::kRelu:
      return at::relu(x);
    case Act::kTanh:
      return at::tanh(x);
    case Act::kGeglu: {
      const auto halves = x.chunk(2, -1);
      return halves[0] * at::gelu(halves[1]);
    }
  }
  MVD_CHECK(false, "unknown activation");
  return {};
}

namespace {

// 10000^(-i/half) in f32. Computed on the GPU itself, since nothing may be copied to it while a step is
// recorded.
at::Tensor Frequencies(at::Device device, int64_t half) {
  if (!device.is_cpu())
    return at::exp(at::arange(half, at::TensorOptions(at::kFloat).device(device)) * -std::log(10000.0f) /
                   half);
  std::vector<float> frequencies;
  for (int64_t i = 0; i < half; ++i)
    frequencies.push_back(std::exp(-std::log(10000.0f) * float(i) / float(half)));
  return at::tensor(frequencies, at::kFloat);
}

// [cos(x f_i) | sin(x f_i)], f_i = 10000^(-i/half). The angle is computed in f32, as in the reference.
at::Tensor Timestep(const Context& context, const Node& node, const at::Tensor& x) {
  const int64_t half = node.as<TimestepAttrs>().dim / 2;
  const at::Tensor f = Frequencies(context.device, half).to(context.wide());
  const at::Tensor angle = x.to(context.wide()).unsqueeze(-1) * f;
  return at::cat({angle.cos(), angle.sin()}, -1).flatten(-2);
}

at::Tensor Blend(const Context& context, const Node& node, const Inputs& in) {
  const bool swapped = node.as<BlendAttrs>().swapped;
  const at::ScalarType type = context.wide();
  at::Tensor share = at::sigmoid(swapped ? in[2] : -in[2]).to(type);  // of the temporal branch
  if (in.size() > 3 && in[3].defined()) share = share * in[3].to(type).reshape({1});
  return at::lerp(in[0].to(type), in[1].to(type), share);
}

std::vector<int64_t> NearestSources(int64_t in, int64_t out) {
  std::vector<int64_t> sources;
  for (int64_t i = 0; i < out; ++i) sources.push_back(i * in / out);
  return sources;
}

// PyTorch multiplies by in/out in f32; where that rounds across an integer its kernel cannot be used.
bool NearestAgrees(int64_t in, int64_t out) {
  const float scale = float(in) / float(out);
  for (int64_t i = 0; i < out; ++i) {
    if (int64_t(std::floor(float(i) * scale)) != i * in / out) return false;
  }
  return true;
}

at::Tensor ResizeAxis(const at::Tensor& x, int64_t axis, int64_t size) {
  if (x.size(axis) == size) return x;
  const at::Tensor sources = at::tensor(NearestSources(x.size(axis), size), at::kLong).to(x.device());
  return at::index_select(x, axis, sources);
}

at::Tensor ResizeNearest(const Node& node, const at::Tensor& value) {
  const Dims d = DimsOf(node.shape);
  at::Tensor x = ResizeAxis(value, 1, d.t);
  if (x.size(2) == d.h && x.size(3) == d.w) return x;
  if (!NearestAgrees(x.size(2), d.h) || !NearestAgrees(x.size(3), d.w)) {
    return ResizeAxis(ResizeAxis(x, 2, d.h), 3, d.w);
  }
  x = x.contiguous().flatten(0, 1).permute({0, 3, 1, 2});
  return at::upsample_nearest2d(x, {d.h, d.w}).permute({0, 2, 3, 1}).contiguous().view(node.shape.dims());
}

at::Tensor MaxPool(const Node& node, const at::Tensor& x) {
  const auto& a = node.as<PoolAttrs>();
  const std::array<int64_t, 3> window = {a.frames, a.height, a.width};
  return at::max_pool3d(x.permute({0, 4, 1, 2, 3}), window, window, 0, 1, /*ceil_mode=*/true)
      .permute({0, 2, 3, 4, 1})
      .contiguous();
}

}  // namespace

at::Tensor Pointwise(const Context& context, const Node& node, const Inputs& in) {
  switch (node.op) {
    case Op::kFrameIndices:
      return at::arange(node.as<FrameAttrs>().frames,
                        at::TensorOptions(context.wide()).device(context.device))
          .view(node.shape.dims());
    case Op::kActivation:
      return Activate(node.as<ActivationAttrs>().act, As5(in[0]));
    case Op::kGeglu:
      return Activate(Act::kGeglu, As5(in[0]));
    case Op::kAffine:
      return at::add(As5(in[0]) * node.as<AffineAttrs>().scale, node.as<AffineAttrs>().shift);
    case Op::kAdd:
      return at::add(As5(in[0]).to(context.wide()), As5(in[1]));
    case Op::kMultiply:
      return at::mul(As5(in[0]).to(context.wide()), As5(in[1]));
    case Op::kBlend:
      return As5(Blend(context, node, in));
    case Op::kTimestep:
      return Timestep(context, node, As5(in[0]));
    default:
      break;
  }
  MVD_CHECK(false, Name(node.op), " is not pointwise");
  return {};
}

at::Tensor Rearrange(const Node& node, const Inputs& in) {
  const at::Tensor x = As5(in[0]);
  switch (node.op) {
    case Op::kConcat: {
      std::vector<at::Tensor> parts;
      at::ScalarType type = x.scalar_type();
      for (const at::Tensor& part : in) type = at::promote_types(type, part.scalar_type());
      for (const at::Tensor& part : in) parts.push_back(As5(part).to(type));
      return at::cat(parts, node.as<AxisAttrs>().axis);
    }
    case Op::kSlice: {
      const auto& a = node.as<SliceAttrs>();
      return x.narrow(a.axis, a.start, a.size);
    }
    case Op::kExpand:
      return x.expand(node.shape.dims());
    case Op::kReshape:
      return x.reshape(node.shape.dims());
    case Op::kMaxPool:
      return MaxPool(node, x);
    case Op::kResizeNearest:
      return ResizeNearest(node, x);
    default:
      break;
  }
  MVD_CHECK(false, Name(node.op), " does not rearrange");
  return {};
}

}  // namespace mvd::torch_ops
