// A source's frames on their way to clips of one length, size and rate: split at cuts, resampled by time.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <vector>

#include "mvd/media/clip_reader.h"
#include "mvd/prepare/cuts.h"

namespace mvd {

struct ClipShape {
  int height = 256, width = 512;
  int frames = 14;  // at least 2
  double fps = 7;
  int stride = 14;              // frames, at `fps`, from the start of a clip to the start of the next
  double cut_threshold = 0.45;  // of CutScore; above 1 nothing is a cut
};

struct CutClip {
  std::vector<Image> frames;          // width x height
  std::vector<Thumbnail> thumbnails;  // of the same frames before they were cropped
  int64_t first_frame = 0;            // counted in the source
  double first_seconds = 0;
};

// Feed it frames in order of time. Frame k of a shot's resampling is the source's frame nearest to the time
// shot start + k / fps; no clip holds frames of two shots.
class ClipCutter {
 public:
  ClipCutter(const ClipShape& shape, std::function<void(CutClip)> emit);
  void Add(TimedFrame frame);
  void Finish();  // after the last frame

  int64_t frames() const { return frames_; }  // of the source
  int64_t cuts() const { return cuts_; }
  int64_t clips() const { return clips_; }
  int64_t longest_shot() const { return longest_shot_; }               // in resampled frames
  double seconds() const { return last_ ? last_->frame.seconds : 0; }  // the last frame's time

 private:
  struct Source {
    TimedFrame frame;
    Thumbnail thumbnail;
    int64_t number = 0;
  };
  struct Picked {
    Image image;
    Thumbnail thumbnail;
    int64_t number = 0;
    double seconds = 0;
  };
  void EndShot();
  void Pick(const Source& source);
  void Emit();
  double Target() const { return shot_start_ + double(picked_) / shape_.fps; }

  ClipShape shape_;
  std::function<void(CutClip)> emit_;
  CutDetector detector_;
  std::optional<Source> last_;
  bool shot_open_ = false;
  double shot_start_ = 0;
  int64_t picked_ = 0;     // in this shot
  int64_t pass_over_ = 0;  // picks to drop before the next clip begins, where stride > frames
  std::deque<Picked> window_;
  int64_t frames_ = 0, cuts_ = 0, clips_ = 0, longest_shot_ = 0;
};

}  // namespace mvd
