// Normalisations and attention, on views of channels-last values.
#include <c10/core/GradMode.h>

#include "mvd/base/check.h"
#include "mvd/torch/torch_ops.h"

namespace mvd::torch_ops {
namespace {

// On the CPU PyTorch's norms take bf16 values with f32 parameters and sum in f32; elsewhere types must agree.
at::Tensor NormInput(const Context& context, const at::Tensor& x) {
  const bool mixed = x.scalar_type() == at::kBFloat16 && context.device.is_cpu();
  return mixed ? x : x.to(context.wide());
}

// Back to the type of the network's values.
at::Tensor NormOutput(const Context& context, const at::Tensor& y) { return y.to(context.compute); }

constexpr int64_t kFewTokens = 64, kFewTokensInTraining = 512;

}  // namespace

at::Tensor GroupNorm(const Context& context, const Node& node, const Inputs& in) {
  const auto& a = node.as<GroupNormAttrs>();
  const Dims d = DimsOf(node.shape);
  const bool spatial = a.axis == Axis::kSpatial;
  const at::Tensor x = NormInput(context, As5(in[0])).contiguous();
  at::Tensor view = (spatial ? x.view({d.b * d.t, d.h, d.w, d.c}) : x.view({d.b, d.t * d.h, d.w, d.c}))
                        .permute({0, 3, 1, 2});
  // PyTorch's channels-last CPU kernel takes 3 to 10 times as long as two copies and the planar kernel.
  if (context.device.is_cpu()) view = view.contiguous();
  at::Tensor y = at::group_norm(view, a.groups, in[1], in[2], a.eps);
  y = y.permute({0, 2, 3, 1}).contiguous().view(node.shape.dims());
  return Activate(a.act, NormOutput(context, y));
}

at::Tensor LayerNorm(const Context& context, const Node& node, const Inputs& in) {
  const at::Tensor x = NormInput(context, As5(in[0]));
  return NormOutput(context, at::layer_norm(x, {x.size(4)}, in[1], in[2], node.as<LayerNormAttrs>().eps));
}

// (B,T,H,W,heads*d) -> (groups, heads, tokens, d) as views: a temporal group's pixels count as heads.
at::Tensor Attention(const Context& context, const Node& node, const Inputs& in) {
  const auto& a = node.as<AttentionAttrs>();
  const Dims d = DimsOf(node.shape);
  const bool spatial = a.axis == Axis::kSpatial;
  const at::Tensor v5 = As5(in[2]);
  if ((spatial ? v5.size(2) * v5.size(3) : v5.size(1)) == 1) {
    return v5.to(context.compute).expand(node.shape.dims());
  }
  const auto heads = [&](const at::Tensor& value) {
    const at::Tensor x = As5(value).to(context.compute).contiguous();
    const Dims n = DimsOf(Shape(x.sizes().vec()));
    const int64_t width = n.c / a.heads;
    return (spatial ? x.view({n.b * n.t, n.h * n.w, a.heads, width})
                    : x.view({n.b, n.t, n.h * n.w * a.heads, width}))
        .transpose(1, 2);
  };
  const at::Tensor q = heads(in[0]), k = heads(in[1]), v = heads(in[2]);
  // PyTorch's fused kernel runs group by group, which is slow for many small groups.
  const int64_t most = c10::GradMode::is_enabled() ? kFewTokensInTraining : kFewTokens;
  const at::Tensor y = context.device.is_cpu() && k.size(2) <= most
                           ? at::matmul(at::softmax(at::matmul(q * a.scale, k.transpose(2, 3)), -1), v)
                           : at::scaled_dot_product_attention(q, k, v, {}, 0.0, false, a.scale);
  return y.transpose(1, 2).reshape({d.b, d.t, d.h, d.w, d.c});
}

}  // namespace mvd::torch_ops
