// The picture codecs, one file each, used through image.h.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "mvd/media/image.h"

namespace mvd {

// Each throws Error(kBadInput) with `name`; the picture is already turned upright.
Image DecodePng(std::span<const uint8_t> bytes, const std::string& name);
Image DecodeJpeg(std::span<const uint8_t> bytes, const std::string& name);
Image DecodeWebp(std::span<const uint8_t> bytes, const std::string& name);

// Text chunks that stand before the pixels, values in UTF-8.
TextMap PngText(std::span<const uint8_t> bytes, const std::string& name);
// The XMP packet of a WebP file, or nothing.
std::optional<std::string> WebpXmp(std::span<const uint8_t> bytes);

// An empty picture of this size; Error(kBadInput) where the header claims nothing or more than kMaxPixels.
Image AllocateImage(uint64_t width, uint64_t height, const std::string& name);

}  // namespace mvd
