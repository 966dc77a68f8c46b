// What a UNet's config says that the network has been through, in words.
#pragma once

#include <string>
#include <vector>

#include "mvd/models/svd_unet.h"

namespace mvd {

// A line a step; nothing for SVD's own network.
std::vector<std::string> DescribeCompression(const SvdUnetConfig& config);

}  // namespace mvd
