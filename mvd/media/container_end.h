// Containers that libav reads without complaint although their end is missing.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>

namespace mvd {

// Whether the file ends before its container says it should. Knows GIF (no trailer), WebM and Matroska
// (segment longer than the file), AVI (RIFF longer than the file) and y4m (a part of a frame at the end,
// whose pictures take `frame_bytes`); false for anything else.
bool EndsEarly(const std::filesystem::path& path, int64_t frame_bytes);

}  // namespace mvd
