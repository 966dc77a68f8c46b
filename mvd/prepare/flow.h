// How much a clip moves: the mean length of its optical flow.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "mvd/media/image.h"

namespace mvd {

// One a thread: it keeps buffers. Dense inverse search (Kroeger, Timofte, Dai, Van Gool, "Fast Optical Flow
// using Dense Inverse Search", ECCV 2016) on grey pictures of at most 256 pixels a side, which moves of a few
// pixels at the clip's own size survive.
class FlowMeter {
 public:
  FlowMeter();
  ~FlowMeter();
  FlowMeter(const FlowMeter&) = delete;
  FlowMeter& operator=(const FlowMeter&) = delete;

  // Mean over pixels and neighbouring pairs of frames of the flow's length, in pixels of the frames' own size
  // per frame. Two frames or more, of one size.
  double MeanFlow(std::span<const Image> frames);

  // TrainingClip::motion of the frames, as well as it can be seen: flow from frame to frame is chained and
  // set right against the first frame; a place counts as visible where the way back leads to where it began.
  std::vector<float> Motion(std::span<const Image> frames);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace mvd
