// Where a clip goes: a file, a folder, or a stream; its recipe beside it where the format cannot hold one.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <optional>

#include "mvd/base/file_error.h"
#include "mvd/base/output_file.h"
#include "mvd/base/paths.h"
#include "mvd/media/clip_files.h"
#include "mvd/media/sidecar.h"

namespace mvd {
namespace fs = std::filesystem;
namespace {

void CheckWritable(const Clip& clip) {
  if (clip.frames.empty()) ThrowUsage("a clip without frames cannot be written");
  if (!(clip.fps >= 0.1 && clip.fps <= 1000))
    ThrowUsage("fps is ", clip.fps, ", from 0.1 to 1000 is expected");
  MVD_CHECK(clip.width > 0 && clip.height > 0);
  for (const Image& frame : clip.frames) {
    MVD_CHECK_EQ(frame.width, clip.width);
    MVD_CHECK_EQ(frame.height, clip.height);
    MVD_CHECK_EQ(frame.rgb.size(), size_t(clip.width) * size_t(clip.height) * 3);
  }
}

// "frames/" names the folder "frames".
fs::path WithoutSlash(const fs::path& target) {
  return target.has_filename() ? target : target.parent_path();
}

struct Descriptor {
  int value;
  ~Descriptor() {
    if (value >= 0) ::close(value);
  }
};

// Muxers may lose what they have no memory for at a file's end, and say nothing (libavformat's mp4 does): a
// clip without its recipe is not whole. `file` is where it is now, `name` what it is called.
void CheckHoldsRecipe(const fs::path& file, const ClipFormat& format, const std::string& recipe,
                      const std::string& name) {
  if (recipe.empty() || format.recipe != RecipePlace::kInside) return;
  std::optional<std::string> found;
  try {
    found = ReadRecipe(file);
  } catch (const Error&) {  // which is no better
  }
  if (found != recipe)
    throw Error(Exit::kNotWritten, name, "was not written whole: the recipe in it cannot be read back");
}

// Writers of containers go back and forth in their file: they get one in memory, which is copied when whole.
void WriteToStream(const Clip& clip, const fs::path& target, const ClipFormat& format,
                   const std::string& recipe) {
  const bool standard = target == kStdout;
  const std::string name = standard ? "stdout" : target.string();
  const Descriptor memory{::memfd_create("clip", MFD_CLOEXEC)};
  if (memory.value < 0) ThrowUnwritable(name, errno);
  const std::string file = StrCat("/proc/self/fd/", memory.value);
  format.write(clip, recipe, file, name);
  CheckHoldsRecipe(file, format, recipe, name);
  const Descriptor opened{standard ? -1 : ::open(target.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY)};
  if (!standard && opened.value < 0) ThrowUnwritable(name, errno);
  OutputFile out(standard ? STDOUT_FILENO : opened.value, name);
  std::string part(1 << 16, '\0');
  for (off_t at = 0;;) {
    const ssize_t got = ::pread(memory.value, part.data(), part.size(), at);
    if (got < 0) ThrowUnwritable(name, errno);
    if (got == 0) break;
    out.Write(std::string_view(part).substr(0, size_t(got)));
    at += got;
  }
  out.Close();
}

// The recipe follows its clip, so that a crash between the two leaves no recipe beside a clip of another; the
// earlier clip's must not pass for this one's either.
void CommitWithRecipe(AtomicFile& file, std::optional<AtomicFile>& sidecar, const fs::path& sidecar_path) {
  file.Commit();
  try {
    if (sidecar) return sidecar->Commit();
  } catch (const Error&) {
    RemoveAll(sidecar_path);
    throw;
  }
  RemoveAll(sidecar_path);
}

}  // namespace

bool IsStream(const fs::path& target) {
  if (target == kStdout) return true;
  const auto there = StatOf(target);
  return there && (S_ISCHR(there->st_mode) || S_ISFIFO(there->st_mode));
}

void CheckClipTarget(const fs::path& target, const ClipFormat& format, Replace replace) {
  CheckCanWrite(format);
  if (format.write == WriteNothing) return;
  const fs::path path = WithoutSlash(target);
  if (IsStream(path)) {
    if (format.write == WritePngSequence)
      ThrowUsage(target.string(), ": a folder of pictures cannot go to a pipe or a device; take y4m");
    return;
  }
  if (format.write == WritePngSequence) {
    AtomicFolder(path, replace, ForeignToPngSequence);
    return;
  }
  CheckFileTarget(path, replace);
  if (format.recipe == RecipePlace::kSidecar) CheckFileTarget(SidecarOf(path), replace);
}

void WriteClip(const Clip& clip, const fs::path& target, const ClipFormat& format,
               const std::string& recipe_json, Replace replace) {
  CheckWritable(clip);
  CheckClipTarget(target, format, replace);
  MVD_CHECK(recipe_json.find('\0') == std::string::npos, "a recipe is text");
  if (format.write == WriteNothing) return;
  const fs::path path = WithoutSlash(target);
  if (IsStream(path)) return WriteToStream(clip, path, format, recipe_json);
  if (format.write == WritePngSequence) {
    AtomicFolder folder(path, replace, ForeignToPngSequence);
    format.write(clip, recipe_json, folder.temporary(), path.string());
    return folder.Commit();
  }
  AtomicFile file(path, replace);
  format.write(clip, recipe_json, file.temporary(), path.string());
  CheckHoldsRecipe(file.temporary(), format, recipe_json, path.string());
  if (format.recipe != RecipePlace::kSidecar) return file.Commit();
  std::optional<AtomicFile> sidecar;
  if (!recipe_json.empty()) {
    sidecar.emplace(SidecarOf(path), replace);
    WriteBytes(sidecar->temporary(), recipe_json, SidecarOf(path).string());
  }
  CommitWithRecipe(file, sidecar, SidecarOf(path));
}

}  // namespace mvd
