// How a clip moves: dense optical flow, in builds with or without OpenCV.
#pragma once

#include <span>
#include <vector>

#include "mvd/base/parallel.h"
#include "mvd/measure/clip_measures.h"

namespace mvd {

// (T-1,H,W,2), x then y, in pixels, SynthClip::flow's convention (mvd/data/synth.h): frame t at (x,y) shows
// what frame t+1 shows at (x,y) + flow. Empty with one frame. Iterated least squares over windows of 9x9
// pixels, from a small picture to the large one (Lucas and Kanade, IJCAI 1981; Bouguet, "Pyramidal
// Implementation of the Lucas Kanade Feature Tracker", Intel 2000), on grey pictures. What is covered or has
// left the frame takes the flow of its surroundings. Pairs of frames are shared among `threads`, whose number
// does not change the result. Error(kBadInput) for pixels that are not finite; others are clamped to [0,1].
std::vector<float> OpticalFlow(const FloatClip& clip, const Threads& threads = {});

// Mean length of a flow (...,2), in its own unit. 0 of an empty one.
double MeanFlow(std::span<const float> flow);

// VBench's dynamic degree (arXiv 2311.17982) of one clip, on flow (T-1,H,W,2) at up to 12 frames a second:
// whether in a quarter of the pairs of 16 frames, rounded as many of T, the fastest twentieth of the pixels
// moves by more than 6/256 of the shorter side in the mean. VBench's own flow is RAFT's, so that its figures
// and ours are not the same.
bool IsDynamic(std::span<const float> flow, int64_t height, int64_t width);

// Mean length of flow - truth, both (...,2) and of one size: the average end-point error (Baker et al., "A
// Database and Evaluation Methodology for Optical Flow", IJCV 2011), over all pixels, covered ones too.
double EndPointError(std::span<const float> flow, std::span<const float> truth);

}  // namespace mvd
