// Clips that libav reads.
#include "mvd/base/error.h"
#include "mvd/media/codecs.h"
#include "mvd/media/shown_video.h"

namespace mvd {

Clip ReadVideo(const Path& path, int64_t max_frames) {
  ShownVideo video(path);
  Clip clip;
  clip.fps = video.fps();
  Image image;
  std::optional<double> seconds;
  while ((max_frames == 0 || int64_t(clip.frames.size()) < max_frames) && video.Next(image, seconds))
    AppendFrame(clip, std::move(image), path.string());
  if (clip.frames.empty()) ThrowBadInput(path.string(), "holds no frame that can be decoded");
  return clip;
}

ClipInfo ProbeVideo(const Path& path) {
  VideoInput video(path);
  ClipInfo info = video.Probe();
  const ShownSize shown = SquarePixels(info.width, info.height, video.SampleAspect());
  info.width = shown.width, info.height = shown.height;
  if (video.Orientation() >= 5) std::swap(info.width, info.height);
  return info;
}

std::string VideoTag(const Path& path, const char* key) { return VideoInput(path).Tag(key); }

}  // namespace mvd
