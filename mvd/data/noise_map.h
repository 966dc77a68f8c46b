// Fractal noise on a grid: random lattices of rising frequency, smoothed by cubic B-splines and summed.
#pragma once

#include <cstdint>
#include <vector>

#include "mvd/data/synth_math.h"

namespace mvd::synth {

struct Rect {
  double x = 0, y = 0, width = 1, height = 1;
};

// One float a texel, row by row.
struct Map {
  int width = 0, height = 0;
  std::vector<float> values;

  Map(int w, int h) : width(w), height(h), values(size_t(w) * h) {}
  float& At(int x, int y) { return values[size_t(y) * width + x]; }
  float At(int x, int y) const { return values[size_t(y) * width + x]; }
  float AtClamped(int x, int y) const {
    return At(std::clamp(x, 0, width - 1), std::clamp(y, 0, height - 1));
  }
};

struct NoiseSpec {
  double frequency_x = 4, frequency_y = 4;  // lattice cells a world unit in the first octave
  int octaves = 5;
  double gain = 0.5;  // of each octave against the one before
  uint32_t seed = 0;
  bool periodic = false;  // over the rectangle; the frequencies times its size must then be whole numbers
  bool ridged = false;    // sharp crests: 1 - |noise| in each octave
};

// Values about 0 with a standard deviation near 0.5, nearly all in [-1.5, 1.5]. Texel (i,j) stands for the
// world point of its centre in `rect`. Octaves finer than two texels are left out, so nothing aliases.
Map FractalNoise(int width, int height, const Rect& rect, const NoiseSpec& spec);

// The same along one line: `count` points from x0 on, `step` apart.
std::vector<float> FractalLine(int count, double x0, double step, double frequency, int octaves, double gain,
                               uint32_t seed);

}  // namespace mvd::synth
