// Classifier-free guidance (arXiv 2207.12598) with a scale for each frame, as SVD uses it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace mvd {

// linspace(min, max, frames); one frame gets min. min > 1 with max <= 1 is a usage Error: whether a clip is
// guided at all is decided by max, so no consistent meaning is left.
std::vector<float> GuidanceScales(double min_scale, double max_scale, int64_t frames);

// Whether any frame needs the unconditional prediction: a scale above 1.
bool GuidanceOn(std::span<const float> scales);

// guided = uncond + scale_f (cond - uncond) for every frame f. The spans hold scales.size() frames of equal
// size; `guided` may be one of the inputs.
void Guide(std::span<const float> uncond, std::span<const float> cond, std::span<const float> scales,
           std::span<float> guided);

}  // namespace mvd
