// What training minimises, as functions of tensors: the diffusion loss of SVD and the autoencoder's.
#pragma once

#include <ATen/core/Tensor.h>

namespace mvd {

// Noised clips as the UNet takes them, and what it should answer, for a batch of B.
struct DiffusionTarget {
  at::Tensor sample;    // (B,T,h,w,C): c_in (x0 + sigma n)
  at::Tensor timestep;  // (B,1,1,1,1): c_noise
  at::Tensor target;    // (B,T,h,w,C): the output that the network should give
};

// EDM's loss lambda ||D(x0 + sigma n) - x0||^2 (arXiv 2206.00364, Eq. 8) under SVD's preconditioning with
// lambda = (1 + sigma^2)/sigma^2. As lambda c_out^2 = 1, it equals ||F - target||^2 with
// target = (x0 - c_skip x)/c_out = (n - sigma x0)/sqrt(1 + sigma^2), formed here without the cancellation of
// D - x0 at small sigma. latents and noise: (B,T,h,w,C).
DiffusionTarget MakeDiffusionTarget(const at::Tensor& latents, const at::Tensor& noise,
                                    const at::Tensor& sigma);

// Mean over a sample's elements, one value per sample: (B). `weight`, of the same shape, if defined,
// multiplies each element's error.
at::Tensor DiffusionLoss(const at::Tensor& output, const at::Tensor& target, const at::Tensor& weight = {});
// The weights of latents (B,T,h,w,C) whose last `motion_channels` are motion: 1 for motion and for what else
// is said of places that the first frame does not show; `seen`, less, for what a decoder takes from the
// picture.
at::Tensor MotionWeights(const at::Tensor& latents, int64_t motion_channels, double seen);

// Autoencoder. Images (N,1,H,W,3) in [-1,1]; one value per image: (N).
at::Tensor PixelLoss(const at::Tensor& output, const at::Tensor& image);

// L1 distance between Laplacian pyramids: the mean over each level, then over the levels. Unlike L1 on pixels
// it sees fine detail beside an offset (Bojanowski et al., arXiv 1707.05776, use the same for generators). It
// needs no pretrained network and is exactly zero for equal images. Levels end before a side falls below 2
// pixels.
at::Tensor PyramidLoss(const at::Tensor& output, const at::Tensor& image, int levels = 4);

// Hinge losses (Lim & Ye, arXiv 1705.02894), each a mean over all logits. The discriminator's is 0 where all
// logits of real clips are above 1 and all of made ones below -1.
at::Tensor DiscriminatorLoss(const at::Tensor& real, const at::Tensor& made);
// The generator's loss, from the logits of what it made.
at::Tensor GeneratorLoss(const at::Tensor& made);

}  // namespace mvd
