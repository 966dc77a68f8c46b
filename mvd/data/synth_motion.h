// What a painted scene's elements say of its motion.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "mvd/data/scene_layer.h"

namespace mvd::synth {

// Where what `frame` shows at pixel (x, y), whose centre is meant, lies in frame `to`, less the pixel's
// place. `canvas` holds the frame.
std::array<float, 2> FlowTo(const Scene& scene, const Canvas& canvas, int frame, int to, int x, int y);

// TrainingClip::motion as it comes about, frame by frame.
class MotionOfClip {
 public:
  explicit MotionOfClip(const Scene& scene);
  // Once for each frame, in order, after it was painted.
  void Add(int t, const Canvas& canvas);
  std::vector<float> Take() { return std::move(motion_); }

 private:
  void AddCell(int t, int left, int top, const Canvas& canvas);
  bool Visible(int t, int x, int y, float dx, float dy, const Canvas& canvas) const;

  const Scene& scene_;
  float diagonal_;
  std::vector<uint8_t> first_;  // the first frame's owners
  std::vector<float> motion_;
};

}  // namespace mvd::synth
