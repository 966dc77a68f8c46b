// Discriminators, of pictures in `train autoencoder` and of clips in `train adversarial`: each learns to tell
// what a network made from what is real.
#pragma once

#include <cstdint>
#include <vector>

#include "mvd/ir/graph.h"
#include "mvd/models/svd_unet.h"
#include "mvd/train/run_config.h"

namespace mvd {

// The prefix of their weights' names, which tells them from those of the network that they judge.
inline constexpr char kDiscriminator[] = "discriminator.";

// A convolutional discriminator of patches (Isola et al., arXiv 1611.07004, section 3.2.2). Takes "image"
// (N,1,H,W,3) in [-1,1] and gives "logits" (N,1,ceil(H/8),ceil(W/8),1), above 0 where the patch of 31x31
// pixels looks real. About 94 thousand weights.
Graph BuildPatchDiscriminator(int64_t images, int64_t height, int64_t width);

inline constexpr int64_t kHeadGroups = 32;  // groups of the norms in heads of clips
inline constexpr int64_t kHeadMaps = 64;    // a head's channels before they are projected on the condition

struct ClipHeads {
  int64_t width = 256;  // channels of a head, a multiple of kHeadGroups
  bool spatial = true, temporal = true;
};
ClipHeads HeadsOf(const AdversarialConfig& config);
EncoderTaps TapsOf(const AdversarialConfig& config);
// Of a graph's outputs, in their order: the taps.
std::vector<Shape> OutputShapes(const Graph& graph);

// Heads on the features of a UNet's encoder half, BuildSvdUnet's encoder_taps, shapes (B,T,h,w,C) each (SF-V,
// arXiv 2406.04324, section 3.3; the layers of its heads are only in a picture, these are ours: a
// convolution, a residual unit, a projection; SiLU, which the gradient penalty differentiates twice). Inputs:
// each tap by its name, "down_blocks.0", ...; "timestep" (B,1,1,1,1), c_noise of the clip's noise;
// "condition" (B,1,1,1,condition_dim), the picture's embedding. For each tap and kind of head,
// "spatial.0" ... or "temporal.0" ...: "NAME.maps" (B,T,h,w,64) and "NAME.condition" (B,T,1,1,64), spatial
// ones told the frame's number too, or (B,1,1,1,64). A place's logit is their product, summed over the 64, by
// the root of 64 (projection, Miyato & Koyama, arXiv 1802.05637): above 0 where it looks real.
Graph BuildClipHeads(const std::vector<Shape>& taps, int64_t condition_dim, const ClipHeads& heads);

}  // namespace mvd
