// The optional critic of `train autoencoder`: it learns to tell decoded pictures from real ones.
#pragma once

#include <cstdint>

#include "mvd/ir/graph.h"

namespace mvd {

// Its weights are named so, which tells them from the autoencoder's.
inline constexpr char kDiscriminator[] = "discriminator.";

// A convolutional judge of patches (Isola et al., arXiv 1611.07004, section 3.2.2): "image" (N,1,H,W,3) in
// [-1,1] to "logits" (N,1,ceil(H/8),ceil(W/8),1), above 0 where the patch of 31x31 pixels looks real. About
// 94 thousand weights.
Graph BuildPatchDiscriminator(int64_t images, int64_t height, int64_t width);

}  // namespace mvd
