// What needs a library, one file each, used through image.h and clip.h. no_codecs.cc stands for all of it in
// a build without: there each throws Error(kUsage).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "mvd/media/clip_files.h"

namespace mvd {

// Pictures. Each throws Error(kBadInput) with `name`; the picture is already turned upright.
// Those of `least` by the contract of ReadImage; the plan's bytes are without the file's.
Image DecodePng(std::span<const uint8_t> bytes, const std::string& name, ImageSize least);
Image DecodeJpeg(std::span<const uint8_t> bytes, const std::string& name, ImageSize least);
Image DecodeWebp(std::span<const uint8_t> bytes, const std::string& name, ImageSize least);
ImagePlan PlanPng(std::span<const uint8_t> bytes, const std::string& name, ImageSize least);
ImagePlan PlanJpeg(std::span<const uint8_t> bytes, const std::string& name, ImageSize least);
ImagePlan PlanWebp(std::span<const uint8_t> bytes, const std::string& name, ImageSize least);

// Text chunks that stand before the pixels, values in UTF-8.
TextMap PngText(std::span<const uint8_t> bytes, const std::string& name);
// The XMP packet of a WebP file, or nothing.
std::optional<std::string> WebpXmp(std::span<const uint8_t> bytes);

// Clip writers for clip.cc's table. Each writes `file` whole; `name` is the target, for messages.
void WriteMp4(const Clip& clip, const std::string& recipe, const Path& file, const std::string& name);
void WriteWebm(const Clip& clip, const std::string& recipe, const Path& file, const std::string& name);
void WriteGif(const Clip& clip, const std::string& recipe, const Path& file, const std::string& name);
void WriteAnimatedWebp(const Clip& clip, const std::string& recipe, const Path& file,
                       const std::string& name);
void WriteMd5(const Clip& clip, const std::string& recipe, const Path& file, const std::string& name);

// The recipe in the comment extension of a GIF, as WriteGif leaves it; nothing where there is none.
std::optional<std::string> GifRecipe(std::string_view bytes);
// The recipe in a WebP's XMP packet, as WriteAnimatedWebp leaves it.
std::optional<std::string> XmpRecipe(std::string_view xmp);

// Clip readers, by the contracts of ReadClip and ProbeClip: what FFmpeg reads, and animated (or still) WebP,
// which FFmpeg 5.1 cannot.
Clip ReadVideo(const Path& path, int64_t max_frames);
ClipInfo ProbeVideo(const Path& path);
std::string VideoTag(const Path& path, const char* key);  // of the container; empty where absent
Clip ReadWebpClip(std::string_view bytes, int64_t max_frames, const std::string& name);
ClipInfo ProbeWebp(std::string_view bytes, const std::string& name);

}  // namespace mvd
