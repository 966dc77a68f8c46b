// The compression steps that a UNet's config records, in words.
#pragma once

#include <string>
#include <vector>

#include "mvd/models/svd_unet.h"

namespace mvd {

// One line per step; none for SVD's own network.
std::vector<std::string> DescribeCompression(const SvdUnetConfig& config);

}  // namespace mvd
