#include "mvd/train/loop/losses.h"

#include <ATen/ATen.h>

#include <vector>

#include "mvd/base/check.h"
#include "mvd/base/motion.h"
#include "mvd/sample/preconditioning.h"

namespace mvd {
namespace {

at::Tensor PerSample(const at::Tensor& values) { return values.flatten(1).mean(1); }

// A row of coefficients, one a sample, that multiplies (B,T,h,w,C).
at::Tensor Column(const std::vector<double>& values, const at::Tensor& like) {
  return at::tensor(values, like.options()).view({int64_t(values.size()), 1, 1, 1, 1});
}

// (N,3,H,W) -> half its size by means of 2x2; an odd last row or column is left out.
at::Tensor Halve(const at::Tensor& x) { return at::avg_pool2d(x, 2); }

at::Tensor Enlarge(const at::Tensor& x, const at::Tensor& like) {
  return at::upsample_bilinear2d(x, {like.size(2), like.size(3)}, false);
}

}  // namespace

DiffusionTarget MakeDiffusionTarget(const at::Tensor& latents, const at::Tensor& noise,
                                    const at::Tensor& sigma) {
  MVD_CHECK(latents.sizes() == noise.sizes() && latents.dim() == 5 && sigma.size(0) == latents.size(0));
  const at::Tensor host = sigma.to(at::kCPU, at::kDouble).contiguous();
  std::vector<double> sigmas(host.data_ptr<double>(), host.data_ptr<double>() + host.numel());
  std::vector<double> c_in, c_noise;
  for (double s : sigmas) {
    const Preconditioning c = VPrediction(s);
    c_in.push_back(c.c_in);
    c_noise.push_back(c.c_noise);
  }
  const at::Tensor scale = Column(c_in, latents), s = Column(sigmas, latents);
  return {.sample = (latents + s * noise) * scale,
          .timestep = Column(c_noise, latents),
          .target = (noise - s * latents) * scale};
}

at::Tensor DiffusionLoss(const at::Tensor& output, const at::Tensor& target, const at::Tensor& weight) {
  MVD_CHECK(output.sizes() == target.sizes());
  const at::Tensor error = (output - target).square();
  return PerSample(weight.defined() ? error * weight : error);
}

at::Tensor MotionWeights(const at::Tensor& latents, int64_t motion_channels, double seen) {
  const int64_t rest = latents.size(4) - motion_channels;
  const at::Tensor motion = latents.narrow(4, rest, motion_channels);
  // +1 visible, -1 not, in the last value of each cell.
  const at::Tensor visible =
      (motion.unflatten(4, {-1, kMotionValues}).select(5, kMotionValues - 1).mean(4, /*keepdim=*/true) + 1) /
      2;
  const at::Tensor weight = (1 - visible * (1 - seen)).clamp(seen, 1);
  return at::cat({weight.expand({-1, -1, -1, -1, rest}), at::ones_like(motion)}, 4);
}

at::Tensor PixelLoss(const at::Tensor& output, const at::Tensor& image) {
  MVD_CHECK(output.sizes() == image.sizes());
  return PerSample((output - image).abs());
}

at::Tensor PyramidLoss(const at::Tensor& output, const at::Tensor& image, int levels) {
  MVD_CHECK(output.sizes() == image.sizes() && output.dim() == 5 && output.size(1) == 1);
  // The pyramid is linear, so that of the difference is enough.
  at::Tensor d = (output - image).squeeze(1).permute({0, 3, 1, 2});
  at::Tensor total = at::zeros({d.size(0)}, d.options());
  int used = 0;
  for (; used < levels && d.size(2) >= 4 && d.size(3) >= 4; ++used) {
    const at::Tensor small = Halve(d);
    total = total + PerSample((d - Enlarge(small, d)).abs());
    d = small;
  }
  return (total + PerSample(d.abs())) / double(used + 1);
}

at::Tensor DiscriminatorLoss(const at::Tensor& real, const at::Tensor& made) {
  return at::relu(1 - real).mean() + at::relu(1 + made).mean();
}

at::Tensor GeneratorLoss(const at::Tensor& made) { return -made.mean(); }

}  // namespace mvd
