// The one EXIF tag that changes a picture: orientation.
#pragma once

#include <cstdint>
#include <span>

#include "mvd/media/image.h"

namespace mvd {

// The orientation, 1 to 8, of a TIFF block ("II*\0..." or "MM\0*..."), with or without "Exif\0\0" before it.
// 1 where the tag is absent or the block is malformed: a camera's slip must not cost the picture.
int ExifOrientation(std::span<const uint8_t> exif);

// The picture as it should be seen, by EXIF orientation (TIFF 6.0, tag 0x0112): 5 to 8 swap width and height.
Image Orient(Image image, int orientation);

}  // namespace mvd
