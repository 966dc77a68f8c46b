// The frames that an autoencoder is trained on, and what a decoder that moves a picture is given beside them.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "mvd/models/taesd.h"
#include "mvd/train/loop/task.h"

namespace mvd {

// Of B clips: their first frames and the motion of T others.
struct ClipMotion {
  at::Tensor picture;  // (B,1,H,W,3)
  at::Tensor latents;  // (B,T,h,w,M)
  at::Tensor travel;   // (B,T,1,1,1)
};

struct FrameBatch {
  at::Tensor images;  // (N,1,H,W,3) in [-1,1]
  ClipMotion motion;  // undefined tensors for an autoencoder of pictures; else N = B T
};

// All frames of the items; for an autoencoder with motion two of each clip behind the first, drawn by its
// sample. Error(kBadInput) where motion is needed and a clip has none.
FrameBatch MakeFrameBatch(const TaesdConfig& config, const std::vector<TrainingItem>& items, uint64_t seed,
                          at::Device device);

// (B T,1,h,w,C) of the encoder with the motion, as the decoder of clips takes it: (B,T,h,w,C).
at::Tensor WithMotion(const at::Tensor& latent, const ClipMotion& motion);

}  // namespace mvd
