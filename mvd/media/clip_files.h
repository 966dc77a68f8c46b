// What the readers and writers of clips share, and the writers that need no library.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "mvd/media/clip.h"

namespace mvd {

using Path = std::filesystem::path;

void WritePngSequence(const Clip& clip, const std::string& recipe, const Path& file, const std::string& name);
// The name of an entry of `folder` that WritePngSequence did not make, or nothing.
std::string ForeignToPngSequence(const Path& folder);
void WriteY4m(const Clip& clip, const std::string& recipe, const Path& file, const std::string& name);
void WriteNothing(const Clip& clip, const std::string& recipe, const Path& file, const std::string& name);

// Writes bytes to a temporary file that somebody else commits.
void WriteBytes(const Path& file, std::string_view bytes, const std::string& name);
std::string FrameName(size_t i);  // "000007"

inline constexpr size_t kFormatBytes = 16;  // of a file's start; they tell its format
// The first `count` bytes of a file, fewer where it is shorter or unreadable.
std::string ReadHead(const Path& path, size_t count);

// Error(kBadInput) where a header claims nothing or more than kMaxPixels.
void CheckImageSize(uint64_t width, uint64_t height, const std::string& name);
// The plan of a picture that is decoded whole, into a picture of 8-bit RGB and `more` bytes beside it, and
// then turned by EXIF's `orientation`.
ImagePlan PlanWhole(int width, int height, int orientation, int64_t more);
// An empty picture of this size; Error(kBadInput) where the header claims nothing or more than kMaxPixels.
Image AllocateImage(uint64_t width, uint64_t height, const std::string& name);

// How much a clip may hold in memory.
inline constexpr int64_t kMaxClipFrames = 100'000;
inline constexpr int64_t kMaxClipBytes = int64_t(4) << 30;
// Adds a frame; Error(kBadInput) where the size changes or a limit is passed.
void AppendFrame(Clip& clip, Image frame, const std::string& name);

}  // namespace mvd
