// Pictures gone into, and their latents likewise: what teaches an autoencoder that latents move as pictures
// do (equivariance; EQ-VAE, arXiv 2502.09509, asks for it by decoding). Where they do, the denoiser can show
// motion by mixing neighbouring latents, the same way in every channel.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace mvd {

// A part of a picture, in parts of its width and height: its side, and its middle from the picture's.
struct Window {
  double side = 1, x = 0, y = 0;
};

// Of (seed, sample): side between 1/2 and 1, anywhere in the picture.
Window DrawWindow(uint64_t seed, uint64_t sample);

// (N,1,h,w,C), pictures or latents -> the same shape: each one's window stretched over the whole, bilinear.
at::Tensor LookThrough(const std::vector<Window>& windows, const at::Tensor& x);

}  // namespace mvd
