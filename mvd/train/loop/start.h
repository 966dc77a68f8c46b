// Where a narrow UNet's training begins, when it begins from nothing.
#pragma once

#include "mvd/models/svd_unet.h"
#include "mvd/torch/torch_graph.h"

namespace mvd {

// Changes seeded random weights so that the network at first answers with the picture, standing still:
// residual branches add nothing (their last convolution is zero, as in arXiv 2105.05233), up blocks hand on
// their skips, the first convolution keeps each noisy latent channel beside the picture's, and the last one
// gives -picture, which is the prediction's value where noise is strong (v = (noise - sigma x0) / sqrt(1 +
// sigma^2)). With 2 channels a group the norms otherwise take long to let colours through. Error(kUsage)
// where the first level has fewer channels than the input.
void StartAsCopy(const SvdUnetConfig& config, Parameters& unet);

}  // namespace mvd
