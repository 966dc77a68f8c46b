#include "mvd/data/noise_map.h"

namespace mvd::synth {
namespace {

// Where a coordinate lies between lattice points, and the B-spline's four weights there.
struct Tap {
  int cell;
  float weights[4];
};

std::vector<Tap> Taps(int count, double start, double step) {
  std::vector<Tap> taps(static_cast<size_t>(count));
  for (int i = 0; i < count; ++i) {
    const double x = start + step * (i + 0.5);
    const double whole = Floor(x);
    const float f = float(x - whole), g = 1 - f;
    taps[size_t(i)] = {int(whole) - 1,
                       {g * g * g / 6, (3 * f * f * f - 6 * f * f + 4) / 6,
                        (3 * g * g * g - 6 * g * g + 4) / 6, f * f * f / 6}};
  }
  return taps;
}

int Wrap(int cell, int period) {
  if (period == 0) return cell;
  const int rest = cell % period;
  return rest < 0 ? rest + period : rest;
}

struct Octave {
  double frequency_x, frequency_y;
  int period_x, period_y;  // 0: none
  uint32_t seed;
  float amplitude;
  bool ridged;
};

// The smoothed lattice has a third of the lattice's deviation: scale the uniform in [-1, 1] up again.
constexpr float kSpread = 2.2f;

void AddOctave(Map& map, const Rect& rect, const Octave& octave) {
  const double step_x = rect.width * octave.frequency_x / map.width;
  const double step_y = rect.height * octave.frequency_y / map.height;
  const auto across = Taps(map.width, rect.x * octave.frequency_x, step_x);
  const auto down = Taps(map.height, rect.y * octave.frequency_y, step_y);
  const int first = across.front().cell, cells = across.back().cell + 4 - first;
  std::vector<float> rows(size_t(cells) * 4), line(static_cast<size_t>(cells));
  int have = down.front().cell - 8;  // the lattice row that rows[0] holds, out of reach at first
  for (int y = 0; y < map.height; ++y) {
    const Tap& tap = down[size_t(y)];
    if (tap.cell != have) {
      for (int k = 0; k < 4; ++k) {
        const int row = Wrap(tap.cell + k, octave.period_y);
        for (int i = 0; i < cells; ++i) {
          const uint32_t hash = Hash(octave.seed, Wrap(first + i, octave.period_x), row);
          rows[size_t(k) * cells + i] = (2 * Unit(hash) - 1) * kSpread;
        }
      }
      have = tap.cell;
    }
    for (int i = 0; i < cells; ++i) {
      line[size_t(i)] = tap.weights[0] * rows[size_t(i)] + tap.weights[1] * rows[size_t(cells + i)] +
                        tap.weights[2] * rows[size_t(2 * cells + i)] +
                        tap.weights[3] * rows[size_t(3 * cells + i)];
    }
    float* out = &map.values[size_t(y) * map.width];
    for (int x = 0; x < map.width; ++x) {
      const Tap& at = across[size_t(x)];
      const float* p = &line[size_t(at.cell - first)];
      const float value =
          at.weights[0] * p[0] + at.weights[1] * p[1] + at.weights[2] * p[2] + at.weights[3] * p[3];
      out[x] += octave.amplitude * (octave.ridged ? 0.9f - 2 * std::abs(value) : value);
    }
  }
}

}  // namespace

Map FractalNoise(int width, int height, const Rect& rect, const NoiseSpec& spec) {
  Map map(width, height);
  double amplitude = 1, scale = 1;
  const double texels_x = width / rect.width, texels_y = height / rect.height;
  for (int i = 0; i < spec.octaves; ++i) {
    const double fx = spec.frequency_x * scale, fy = spec.frequency_y * scale;
    if (std::max(fx / texels_x, fy / texels_y) > 0.5) break;
    Octave octave{fx, fy, 0, 0, Hash(spec.seed + uint32_t(i) * 0x632BE5ABu), float(amplitude), spec.ridged};
    if (spec.periodic) {
      octave.period_x = int(fx * rect.width + 0.5);
      octave.period_y = int(fy * rect.height + 0.5);
    }
    AddOctave(map, rect, octave);
    amplitude *= spec.gain;
    scale *= 2;
  }
  return map;
}

std::vector<float> FractalLine(int count, double x0, double step, double frequency, int octaves, double gain,
                               uint32_t seed) {
  const Rect rect{x0 - step / 2, 0.25, step * count, 1e-3};
  const NoiseSpec spec{frequency, 1, octaves, gain, seed};
  Map map(count, 1);
  double amplitude = 1, scale = 1;
  for (int i = 0; i < spec.octaves && frequency * scale * step <= 0.5; ++i) {
    AddOctave(map, rect,
              {frequency * scale, 1, 0, 0, Hash(seed + uint32_t(i) * 0x632BE5ABu), float(amplitude), false});
    amplitude *= gain;
    scale *= 2;
  }
  return map.values;
}

}  // namespace mvd::synth
