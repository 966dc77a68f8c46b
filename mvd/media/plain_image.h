// The picture formats that need no library.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "mvd/media/image.h"

namespace mvd {

// Binary PPM ("P6", netpbm's ppm(5)) of 8 bits a channel; of several pictures in a file the first.
// Error(kBadInput) with `name` for anything else.
Image DecodePpm(std::span<const uint8_t> bytes, const std::string& name, ImageSize least);
ImagePlan PlanPpm(std::span<const uint8_t> bytes, const std::string& name, ImageSize least);

// EncodePng without compression: deflate's stored blocks (RFC 1950, RFC 1951, 3.2.4).
std::string EncodePlainPng(const Image& image, const TextMap& text);

}  // namespace mvd
