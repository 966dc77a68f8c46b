// Pictures brought to another size.
#pragma once

#include "mvd/media/image.h"

namespace mvd {

// The largest centred part of `image` that has the shape width:height, scaled to that size by Lanczos'
// filter; sizes are at least 1. Channels are scaled apart, so that nothing passes through another colour
// space; the same bytes on every processor.
Image ScaleCrop(const Image& image, int width, int height);

}  // namespace mvd
