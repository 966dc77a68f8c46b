// Which neighbouring frames belong to different shots, and which are the same picture twice.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "mvd/media/image.h"

namespace mvd {

// What comparisons look at: a small picture of area averages, and how often each coarse colour occurs in it.
struct Thumbnail {
  std::vector<uint8_t> rgb;      // (kThumbnailHeight, kThumbnailWidth, 3)
  std::vector<float> histogram;  // of 8 x 8 x 8 colours, its sum 1
};
inline constexpr int kThumbnailWidth = 64, kThumbnailHeight = 36;
Thumbnail MakeThumbnail(const Image& image);

// 0 for equal pictures, 1 for pictures with nothing in common: the geometric mean of how much of the colour
// histogram moved (half its L1 distance) and of the mean difference of pixels (a quarter of the range
// counting as whole). Either alone errs: a pan changes pixels but few colours, a dimmed light changes colours
// everywhere.
double CutScore(const Thumbnail& a, const Thumbnail& b);

// The largest difference of any cell and channel, 0 to 255: averages over cells are deaf to coding noise, and
// their maximum still sees a small thing move.
int LargestDifference(const Thumbnail& a, const Thumbnail& b);

// Frames in order of time.
class CutDetector {
 public:
  explicit CutDetector(double threshold) : threshold_(threshold) {}
  // Whether a new shot begins with this frame: its score passes the threshold and stands out from the scores
  // before it, which are all high where the camera is merely fast.
  bool IsCut(const Thumbnail& frame);

 private:
  double threshold_;
  bool has_last_ = false;
  Thumbnail last_;
  std::deque<double> scores_;  // of the present shot, the latest ones
};

}  // namespace mvd
