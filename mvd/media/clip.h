// Clips in and out: frames of one size, and the table of formats they are written in, each with its recipe.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "mvd/base/atomic_file.h"
#include "mvd/media/image.h"

namespace mvd {

// Under this key PNG text chunks and container tags hold the recipe.
inline constexpr char kRecipeKey[] = "mobilevd_recipe";

struct Clip {
  int width = 0;
  int height = 0;
  double fps = 0;  // frames a second; 0 where the source has none (a folder of pictures)
  std::vector<Image> frames;
};

// Frames from (T,H,W,3) floats in [0,1]; values outside are clamped, NaN becomes 0. Rounds as diffusers'
// numpy_to_pil: (x * 255).round(), ties to even.
Clip FramesFromFloat(std::span<const float> thwc, int64_t frames, int64_t height, int64_t width, double fps);

// Where a format keeps the recipe.
enum class RecipePlace {
  kInside,   // in the file
  kSidecar,  // in `<file>.recipe.json`, for formats whose readers refuse long headers
  kNone,     // not kept: formats for tests
};

// One way to write a clip. The rows stand in clip.cc, and nowhere else.
struct ClipFormat {
  std::string_view name;
  std::vector<std::string_view> extensions;  // lower case with the dot; "/" stands for a folder
  RecipePlace recipe;
  std::string_view library;  // that writes it; empty where none is needed
  std::string_view description;
  // Writes `file` (a temporary name) whole; `name` is the target, for messages.
  void (*write)(const Clip& clip, const std::string& recipe_json, const std::filesystem::path& file,
                const std::string& name);
};

std::span<const ClipFormat> ClipFormats();
std::string ClipFormatNames();  // those that this build writes, "mp4, webm, ...": for messages and help
bool CanWrite(const ClipFormat& format);  // whether this build has its library
// Error(kUsage) where it has not: says before long work what WriteClip would say after it.
void CheckCanWrite(const ClipFormat& format);
// For clips that people look at, where nobody asked for a format: the first of the table that this build
// writes, "mp4", without libraries "y4m".
const ClipFormat& DefaultClipFormat();
// What a file of this format ends in, ".mp4"; nothing where it is a folder or no file.
std::string ExtensionOf(const ClipFormat& format);
// By name ("mp4"), else by the extension of a path, any case; a path that ends in '/' is a PNG sequence.
// Null where neither fits.
const ClipFormat* FindClipFormat(std::string_view path_or_name);

// What WriteClip holds beside the clip: the libraries' encoders, as measured, rounded up.
int64_t EncoderBytes(const ClipFormat& format, int64_t width, int64_t height, int64_t frames);

// A target of this name is standard output.
inline constexpr char kStdout[] = "-";
// Whether a clip written there goes through and leaves nothing to be replaced: standard output, a FIFO, or a
// device that takes characters (/dev/null). Every format but a PNG sequence can go there, without a sidecar.
bool IsStream(const std::filesystem::path& target);

// Throws what WriteClip would throw of this target before it writes anything; to be asked before long work.
void CheckClipTarget(const std::filesystem::path& target, const ClipFormat& format, Replace replace);

// Writes the clip whole or not at all, by the rules of base/atomic_file.h; the same input gives the same
// bytes. `recipe_json` (UTF-8, no NUL; empty for none) is carried as RecipePlace says. With Replace::kYes a
// folder is replaced as a whole where all in it is a PNG sequence of this program's, else refused.
// Error(kUsage) for a target that may not be replaced, an fps that is not in [0.1, 1000], an empty clip, or a
// format that this build cannot write; Error(kNotFound) without the target's folder; else as ThrowUnwritable.
void WriteClip(const Clip& clip, const std::filesystem::path& target, const ClipFormat& format,
               const std::string& recipe_json, Replace replace);

// What a clip's recipe was, read back from any format that carries one, from a PNG, or from the folder of a
// PNG sequence. Nothing where there is none. Errors as ReadClip.
std::optional<std::string> ReadRecipe(const std::filesystem::path& path);

struct ClipInfo {
  std::string format;  // "mp4", "webm", "gif", "webp", "folder", ... as the container calls itself
  std::string codec;   // "h264", "vp9", ...
  std::string pixels;  // "yuv420p", ...; empty where not known
  int width = 0;       // as shown: in square pixels, turned
  int height = 0;
  double fps = 0;  // mean rate, 0 where not known
  int64_t frames = 0;
  double seconds = 0;
};

// Reads the headers and counts the frames; only still pictures are decoded. Errors as ReadClip.
ClipInfo ProbeClip(const std::filesystem::path& path);

// Reads the first `max_frames` frames (all for 0) of a clip (mp4, mov, webm, mkv, avi, gif, y4m, animated or
// still WebP), a picture, or a folder of pictures. Rotation flags are applied. Nothing but the named file is
// opened. Error(kNotFound) for a missing path; Error(kBadInput) for a damaged, foreign or too large file.
Clip ReadClip(const std::filesystem::path& path, int64_t max_frames = 0);

}  // namespace mvd
