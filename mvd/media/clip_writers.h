// The clip writers that clip.cc's table names. Each writes `file` whole; `name` is the target, for messages.
#pragma once

#include <filesystem>
#include <string>

#include "mvd/media/clip.h"

namespace mvd {

using Path = std::filesystem::path;

void WriteMp4(const Clip& clip, const std::string& recipe, const Path& file, const std::string& name);
void WriteWebm(const Clip& clip, const std::string& recipe, const Path& file, const std::string& name);
void WriteGif(const Clip& clip, const std::string& recipe, const Path& file, const std::string& name);
void WriteAnimatedWebp(const Clip& clip, const std::string& recipe, const Path& file,
                       const std::string& name);
void WritePngSequence(const Clip& clip, const std::string& recipe, const Path& file, const std::string& name);
void WriteY4m(const Clip& clip, const std::string& recipe, const Path& file, const std::string& name);
void WriteMd5(const Clip& clip, const std::string& recipe, const Path& file, const std::string& name);
void WriteNothing(const Clip& clip, const std::string& recipe, const Path& file, const std::string& name);

// Writes bytes to a temporary file that somebody else commits.
void WriteBytes(const Path& file, std::string_view bytes, const std::string& name);

// The recipe in the comment extension of a GIF, as WriteGif leaves it; nothing where there is none.
std::optional<std::string> GifRecipe(std::string_view bytes);
// The recipe in a WebP's XMP packet, as WriteAnimatedWebp leaves it.
std::optional<std::string> XmpRecipe(std::string_view xmp);

// Reads an animated (or still) WebP, which FFmpeg 5.1 cannot; the contract of ReadClip.
Clip ReadWebpClip(std::string_view bytes, int64_t max_frames, const std::string& name);
ClipInfo ProbeWebp(std::string_view bytes, const std::string& name);

// How much a clip may hold in memory.
inline constexpr int64_t kMaxClipFrames = 100'000;
inline constexpr int64_t kMaxClipBytes = int64_t(4) << 30;
// Adds a frame; Error(kBadInput) where the size changes or a limit is passed.
void AppendFrame(Clip& clip, Image frame, const std::string& name);

}  // namespace mvd
