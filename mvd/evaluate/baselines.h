// Clips beside which a model's figures are read: made of the real clip alone, each better or worse in a way
// that a person sees at once. A measure that does not rank them so cannot be trusted to rank models.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "mvd/measure/clip_measures.h"

namespace mvd {

struct Baseline {
  std::string_view name, shows;
  bool always;  // false: only where calibration is asked for
  // `motion`: the real clip's mean flow per frame, pixels.
  FloatClip (*make)(const FloatClip& real, double motion, uint64_t seed);
};

// still, zoomed, noise; and for calibration reversed, shuffled, blurred, grain, checkered.
std::span<const Baseline> Baselines();

}  // namespace mvd
