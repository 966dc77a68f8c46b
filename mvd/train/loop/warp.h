// Crops of pictures and of their latents, which teach an autoencoder that latents move as pictures do
// (equivariance; EQ-VAE, arXiv 2502.09509, asks for it on decoded latents). The denoiser can then show motion
// by mixing neighbouring latents, in the same way in every channel.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace mvd {

// A crop, relative to the picture's width and height: its side, and the offset of its centre from the
// picture's.
struct Window {
  double side = 1, x = 0, y = 0;
};

// A function of (seed, sample): a side between 1/2 and 1, anywhere in the picture.
Window DrawWindow(uint64_t seed, uint64_t sample);

// (N,1,h,w,C), pictures or latents -> the same shape: each one's window enlarged to the whole, bilinear.
at::Tensor LookThrough(const std::vector<Window>& windows, const at::Tensor& x);

}  // namespace mvd
