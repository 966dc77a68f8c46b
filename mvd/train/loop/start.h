// The weights that a narrow UNet's training starts from when it starts from scratch.
#pragma once

#include "mvd/models/svd_unet.h"
#include "mvd/torch/torch_graph.h"

namespace mvd {

// Changes seeded random weights so that the network starts by returning the conditioning picture as a still
// clip: residual branches add nothing (their last convolution is zero, as in arXiv 2105.05233), up blocks
// pass their skips on, the first convolution copies each noisy latent channel and the picture's next to each
// other, and the last one gives -picture, the right prediction at strong noise (v = (noise - sigma x0) /
// sqrt(1 + sigma^2)). Otherwise norms with 2 channels per group take long to let colours through.
// Error(kUsage) where the first level has fewer channels than the input.
void StartAsCopy(const SvdUnetConfig& config, Parameters& unet);

}  // namespace mvd
