// What can be said of a clip that moves a picture: whether it stays sharp, holds together, and does more than
// zoom.
#pragma once

#include <span>

#include "mvd/base/parallel.h"
#include "mvd/measure/clip_measures.h"

namespace mvd {

// The 95th percentile of the gradient's length, on grey, of frame `t`: how sharp its edges are.
double EdgeStrength(const FloatClip& clip, int64_t t);

// Mean absolute difference, in levels of 255, between each frame and the next one read where `flow`
// (T-1,H,W,2) leads; pixels that leave the frame are left out. 0 of a still clip. A clip of moving things has
// some, from what is uncovered.
double WarpError(const FloatClip& clip, std::span<const float> flow);

// dB between the last frame and the first one moved by the clip's own flow, chained from the last frame back
// to the first and smoothed over 5x5 pixels: high where things move, low where they dissolve.
double ExplainedByFirst(const FloatClip& clip, const Threads& threads = {});

// The share, 0 to 1, of the variance of `flow` (N,H,W,2) that one similarity (shift, zoom, turn) per pair of
// frames explains: 1 of a camera that pans and zooms before a flat picture. 1 of a still clip.
double SimilarityShare(std::span<const float> flow, int64_t height, int64_t width);

// The cosine of two flows, as vectors of all their numbers: 1 where they move alike, 0 where they have
// nothing in common or one stands still.
double FlowCosine(std::span<const float> a, std::span<const float> b);

}  // namespace mvd
