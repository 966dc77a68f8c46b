// Clips that libav reads.
#include "mvd/base/error.h"
#include "mvd/media/codecs.h"
#include "mvd/media/exif.h"
#include "mvd/media/video_input.h"

namespace mvd {

Clip ReadVideo(const Path& path, int64_t max_frames) {
  VideoInput video(path);
  Clip clip;
  clip.fps = video.fps();
  PixelConverter converter;
  const FramePtr frame(CheckAlloc(av_frame_alloc()));
  while ((max_frames == 0 || int64_t(clip.frames.size()) < max_frames) && video.Next(*frame)) {
    Image image = Turned(converter.ToRgb(*frame, path.string()), video.rotation());
    AppendFrame(clip, std::move(image), path.string());
    av_frame_unref(frame.get());
  }
  if (clip.frames.empty()) ThrowBadInput(path.string(), "holds no frame that can be decoded");
  return clip;
}

ClipInfo ProbeVideo(const Path& path) { return VideoInput(path).Probe(); }

std::string VideoTag(const Path& path, const char* key) { return VideoInput(path).Tag(key); }

}  // namespace mvd
