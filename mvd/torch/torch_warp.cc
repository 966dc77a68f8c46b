// Warp: bilinear reads of a picture where a flow points.
#include <cmath>

#include "mvd/torch/torch_ops.h"

namespace mvd::torch_ops {
namespace {

// (B,T,h,w,C) -> (B T,C,height,width), bilinear.
at::Tensor Resized(const Context& context, const at::Tensor& x, int64_t height, int64_t width) {
  const at::Tensor planes = As5(x).to(context.wide()).flatten(0, 1).permute({0, 3, 1, 2}).contiguous();
  if (planes.size(2) == height && planes.size(3) == width) return planes;
  return at::upsample_bilinear2d(planes, {height, width}, /*align_corners=*/false);
}

// (1,size) or (size,1): where the centres of pixels lie, the frame from -1 to 1.
at::Tensor Centres(int64_t size, const at::TensorOptions& options) {
  return (at::arange(size, options) * 2 + 1) / double(size) - 1;
}

}  // namespace

at::Tensor Warp(const Context& context, const Node& node, const Inputs& in) {
  const Dims d = DimsOf(node.shape);
  const at::Tensor flow = Resized(context, in[1], d.h, d.w);
  const double diagonal = std::hypot(double(d.h), double(d.w));
  const at::Tensor columns = Centres(d.w, flow.options()) + flow.select(1, 0) * (2 * diagonal / double(d.w));
  const at::Tensor rows =
      Centres(d.h, flow.options()).unsqueeze(1) + flow.select(1, 1) * (2 * diagonal / double(d.h));
  at::Tensor x = As5(in[0]).to(context.wide());
  x = x.expand({d.b, d.t, d.h, d.w, d.c}).flatten(0, 1).permute({0, 3, 1, 2}).contiguous();
  at::Tensor y = at::grid_sampler_2d(x, at::stack({columns, rows}, 3), /*bilinear*/ 0, /*border*/ 1, false);
  const at::Tensor &weight = At(in, 2), &other = At(in, 3);
  const at::Tensor rest = other.defined() ? Resized(context, other, d.h, d.w) : at::Tensor();
  if (weight.defined()) {
    const at::Tensor share = Resized(context, weight, d.h, d.w);
    y = rest.defined() ? rest + share * (y - rest) : share * y;
  }
  return y.permute({0, 2, 3, 1}).contiguous().view(node.shape.dims());
}

}  // namespace mvd::torch_ops
