// Any bytes as a clip (mp4, webm, gif, WebP, y4m and the others that libav is allowed), with the recipe in
// its metadata: an Error of one line, or frames of one size.
#include "fuzz_targets/fuzzing.h"
#include "mvd/media/clip.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const mvd::InputFile file(data, size);
  mvd::BadInputAtMost([&] { mvd::ProbeClip(file.path()); });
  mvd::BadInputAtMost([&] { mvd::ReadRecipe(file.path()); });
  mvd::BadInputAtMost([&] {
    const mvd::Clip clip = mvd::ReadClip(file.path(), 3);
    mvd::Require(!clip.frames.empty() && clip.frames.size() <= 3);
    for (const mvd::Image& frame : clip.frames) {
      mvd::Require(frame.width == clip.width && frame.height == clip.height);
      mvd::Require(frame.rgb.size() == size_t(clip.width) * size_t(clip.height) * 3);
    }
  });
  return 0;
}
