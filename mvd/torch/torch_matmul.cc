// Convolutions and linears: channels last throughout, so that a convolution's (N,C,H,W) is a view.
#include <cmath>

#include "mvd/base/check.h"
#include "mvd/torch/torch_ops.h"

namespace mvd::torch_ops {
namespace {

// What follows a layer's product: the part of the bias that the product could not take, the residual and the
// activation. A sum with a residual is kept in the wide type: rounding errors of bf16 would add up from block
// to block.
at::Tensor Finish(const Context& context, at::Tensor y, const at::Tensor& bias, const at::Tensor& residual,
                  Act act) {
  if (bias.defined()) y = y + bias.to(y.scalar_type());
  if (residual.defined()) y = at::add(residual.to(context.wide()), y);
  return Activate(act, y);
}

bool IsVector(const at::Tensor& bias, int64_t channels) { return bias.defined() && bias.numel() == channels; }

// The bias, where it is one vector and can be an argument of the product; else nothing.
at::Tensor OwnBias(at::ScalarType type, const at::Tensor& bias, int64_t channels) {
  if (!IsVector(bias, channels)) return {};
  return bias.reshape({channels}).to(type);
}

at::Tensor OtherBias(const at::Tensor& bias, int64_t channels) {
  return IsVector(bias, channels) ? at::Tensor() : bias;
}

// x with every repeated axis (from an Expand) reduced to size 1, so that equal rows are computed once.
at::Tensor WithoutRepeats(at::Tensor x) {
  for (int64_t axis = 0; axis < 4; ++axis) {
    if (x.size(axis) > 1 && x.stride(axis) == 0) x = x.narrow(axis, 0, 1);
  }
  return x;
}

at::Tensor Rows(const Context& context, const at::Tensor& x, const at::Tensor& w, const at::Tensor& bias) {
  const at::ScalarType type = ProductType(context, w.size(0), w.size(1));
  return at::linear(x.to(type), w.to(type), OwnBias(type, bias, w.size(0)));
}

}  // namespace

at::Tensor Linear(const Context& context, const Node& node, const Inputs& in) {
  const at::Tensor x = As5(in[0]), w = in[1], &bias = At(in, 2);
  const at::Tensor few = WithoutRepeats(x);
  at::Tensor y = Rows(context, few, w, bias);
  const at::Tensor other = OtherBias(bias, w.size(0));
  const Act act = node.as<LinearAttrs>().act;
  if (few.is_same(x) || few.sizes() == x.sizes()) return Finish(context, y, other, At(in, 3), act);
  if (other.defined() || At(in, 3).defined()) {
    std::vector<int64_t> sizes = x.sizes().vec();
    sizes[4] = w.size(0);
    return Finish(context, y.expand(sizes), other, At(in, 3), act);
  }
  return Activate(act, y).expand(node.shape.dims());
}

at::Tensor Conv2d(const Context& context, const Node& node, const Inputs& in) {
  const auto& a = node.as<Conv2dAttrs>();
  const at::Tensor &w = in[1], &bias = At(in, 2);
  const int64_t outputs = w.size(0);
  const at::ScalarType type = ProductType(context, outputs, w.size(1));
  at::Tensor x = As5(in[0]);
  const Dims d = DimsOf(node.shape);
  at::Tensor y;
  if (w.size(2) == 1 && w.size(3) == 1 && a.stride == 1 && a.top + a.left + a.bottom + a.right == 0) {
    y = Rows(context, x, w.reshape({outputs, w.size(1)}), bias);
  } else {
    x = x.to(type).contiguous().flatten(0, 1).permute({0, 3, 1, 2});
    std::vector<int64_t> padding{a.top, a.left};
    if (a.top != a.bottom || a.left != a.right) {
      x = at::constant_pad_nd(x, {a.left, a.right, a.top, a.bottom});
      padding = {0, 0};
    }
    y = at::conv2d(x.contiguous(at::MemoryFormat::ChannelsLast),
                   w.to(type).contiguous(at::MemoryFormat::ChannelsLast), OwnBias(type, bias, outputs),
                   {a.stride, a.stride}, padding);
    y = y.permute({0, 2, 3, 1}).contiguous().view({d.b, d.t, d.h, d.w, d.c});
  }
  return Finish(context, y, OtherBias(bias, outputs), At(in, 3), a.act);
}

// Runs as a convolution over (T, 1, 1) of the channels-last view: without copies, and with oneDNN's
// gradients.
at::Tensor ConvTemporal(const Context& context, const Node& node, const Inputs& in) {
  const at::Tensor &w = in[1], &bias = At(in, 2);
  const int64_t taps = w.size(2);
  const at::ScalarType type = ProductType(context, w.size(0), w.size(1));
  const Dims d = DimsOf(node.shape);
  at::Tensor x = As5(in[0]).to(type).contiguous(), y;
  if (d.t == 1) {  // the other taps see only padding
    y = Rows(context, x, w.select(2, taps / 2).reshape({w.size(0), w.size(1)}), bias);
  } else {
    y = at::conv3d(x.permute({0, 4, 1, 2, 3}), w.to(type), OwnBias(type, bias, d.c), {1, 1, 1},
                   {taps / 2, 0, 0});
    y = y.permute({0, 2, 3, 4, 1}).contiguous();
  }
  return Finish(context, y, OtherBias(bias, d.c), At(in, 3), node.as<ConvAttrs>().act);
}

at::Tensor WeightProduct(const Node& node, const Inputs& in) {
  const at::Tensor &a = in[0], &b = in[1];
  if (b.dim() == 3) {  // (O, n k, rest) by (n,k,i)
    const at::Tensor x = a.reshape({a.size(0), b.size(0), b.size(1), -1});
    return at::einsum("onkr,nki->onir", {x, b}).reshape(node.shape.dims());
  }
  const at::Tensor factor = a.dim() == 3 ? a : a.unsqueeze(0);
  return at::bmm(factor, b.reshape({factor.size(0), factor.size(2), -1})).reshape(node.shape.dims());
}

}  // namespace mvd::torch_ops
