// A clip read frame by frame, each with its time: for sources too long for ReadClip's memory.
#pragma once

#include <filesystem>
#include <memory>

#include "mvd/media/image.h"

namespace mvd {

struct TimedFrame {
  Image image;
  double seconds = 0;  // from the clip's first frame; never falls from one frame to the next
};

// Videos (mp4, mov, webm, mkv, avi, gif, y4m) are decoded as they are asked for; animated WebP is held whole.
// Errors as ReadClip; where a video is damaged in its middle, only Next reports it.
class ClipReader {
 public:
  // `fps` > 0 replaces the times in the file: frame i stands at i / fps.
  explicit ClipReader(const std::filesystem::path& path, double fps = 0);
  ~ClipReader();
  ClipReader(const ClipReader&) = delete;
  ClipReader& operator=(const ClipReader&) = delete;

  double fps() const;  // mean rate, 0 where not known
  // False at the end. Every frame has the size of the first: Error(kBadInput) for one that has not.
  bool Next(TimedFrame& frame);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace mvd
