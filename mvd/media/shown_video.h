// A video's frames as a player shows them.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "mvd/media/filter_graph.h"
#include "mvd/media/video_input.h"

namespace mvd {

// What a film stores otherwise is converted: interlaced frames become whole ones (bwdif), pixels square, HDR
// (PQ, HLG) is brought into the range of SDR (BT.2408's 203 cd/m2 stay white, what is brighter is
// compressed), wide primaries and rare matrices become BT.709's, rotation flags are applied. Where this
// FFmpeg lacks the filter for it, the file is refused.
class ShownVideo {
 public:
  // Errors as VideoInput's.
  explicit ShownVideo(const std::filesystem::path& path);

  double fps() const { return input_.fps(); }  // mean rate, 0 where not known
  // False at the end. `seconds` is the frame's time in the file, where it has one.
  bool Next(Image& image, std::optional<double>& seconds);

 private:
  // What has to be done to a frame besides its size and rotation.
  struct Work {
    bool deinterlace = false;
    std::string colours;  // filters; empty: PixelConverter is enough
    std::string purpose;  // the reason, for messages
    bool operator==(const Work&) const = default;
  };
  Work WorkOf(const AVFrame& frame) const;
  bool Decode();
  void Filter();
  Image Finish(const AVFrame& frame);

  std::string name_;
  VideoInput input_;
  PixelConverter converter_;
  FramePtr decoded_, shown_;
  bool pending_ = false;     // decoded_ waits for a graph of its own
  bool interlaced_ = false;  // a frame so far was
  Work work_;
  FilterInput format_;
  std::optional<FilterGraph> graph_;
};

// The size at which frames of width x height pixels of this aspect ratio (width : height; 0 where unknown)
// are shown in square pixels: the side that is too short is enlarged. (0, 0) where that is beyond any
// picture.
struct ShownSize {
  int width = 0, height = 0;
};
ShownSize SquarePixels(int width, int height, AVRational sample_aspect);

}  // namespace mvd
