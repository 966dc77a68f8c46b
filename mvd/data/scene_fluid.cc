// Water, fire and smoke: fields of noise that drift. Their flow is the drift of the first field: the look
// changes besides.
#include "mvd/data/scene_layer.h"

namespace mvd::synth {

void PaintWater(const Water& water, int frame, uint8_t id, Canvas& canvas) {
  const auto& m = water.to_texel[size_t(frame)].m;
  const auto& drift = water.second_drift[size_t(frame)];
  const float slope = water.horizon_slope[size_t(frame)];
  const float per_height = 1 / float(canvas.height);
  const float level0 = GroundLevel(water.to_texel[size_t(frame)]);
  for (int y = 0; y < canvas.height; ++y) {
    for (int x = 0; x < canvas.width; ++x) {
      const double px = x + 0.5, py = y + 0.5;
      const float horizon = water.horizon[size_t(frame)] + slope * float(px - canvas.width * 0.5);
      const float below = float(py) - horizon;
      if (below <= -0.5f) continue;
      const float w = float(m[6] * px + m[7] * py + m[8]);
      if (w <= 1e-5f) continue;
      const float u = float(m[0] * px + m[1] * py + m[2]) / w, v = float(m[3] * px + m[4] * py + m[5]) / w;
      const float level = level0 - 1.5f * RoughLog2(w);
      const V4 a = SampleLevel(water.ripples, u, v, level);
      const V4 b = SampleLevel(water.ripples, 0.71f * u + 0.71f * v + drift[0],
                               0.71f * v - 0.71f * u + drift[1], level);
      const float nx = (a[0] + b[0]) * water.roughness, ny = (a[1] + b[1]) * water.roughness;
      // The mirror image, torn more in height than in width, as on real water.
      const float depth = below * per_height;
      const float sx = float(x) + nx * (4 + 60 * depth) * float(canvas.height) / 256;
      const float sy = horizon - below * (0.9f - 0.5f * depth) -
                       (0.5f + ny) * (1 + 90 * depth) * float(canvas.height) / 256;
      const int ix = std::clamp(FloorInt(sx), 0, canvas.width - 1);
      const int iy = std::clamp(FloorInt(sy), 0, std::max(FloorInt(horizon) - 1, 0));
      const V4 mirror = canvas.pixels[size_t(iy) * canvas.width + ix].v;
      const float fresnel = std::clamp(0.85f - 1.1f * depth - 0.5f * ny, 0.12f, 0.9f);
      V4 color = Mix(water.color * Splat(1 + 0.6f * nx), mirror, fresnel);
      const float from_sun = std::abs(float(px) - water.sun_x[size_t(frame)]) * per_height;
      const float track = Clamp01(1 - from_sun / (0.1f + 0.6f * depth));
      const float spark = SmoothStep(0.05f, 0.3f, ny + 0.4f * nx) * track * (0.3f + 0.7f * track);
      color = Opaque(color + water.glint * Splat(spark));
      Blend(canvas, size_t(y) * canvas.width + x, color * Splat(Clamp01(below + 0.5f)), id);
    }
  }
}

std::array<float, 2> WaterFlow(const Water& water, int frame, int to, float x, float y) {
  const auto [u, v] = water.to_texel[size_t(frame)](x, y);
  const auto [px, py] = water.to_pixel[size_t(to)](u, v);
  return {float(px) - x, float(py) - y};
}

namespace {

// Black body in linear light by heat in [0, 1].
V4 FireColor(float heat) {
  return V4{std::min(heat * 2.6f, 1.6f), std::min(heat * heat * 1.5f, 1.2f), heat * heat * heat * 0.55f, 0};
}

}  // namespace

void PaintPlume(const Plume& plume, int frame, uint8_t id, Canvas& canvas) {
  const auto [fx, fy] = plume.foot[size_t(frame)];
  const float scale = plume.scale[size_t(frame)], lean = plume.drift[size_t(frame)];
  const float size = float(plume.noise.width);
  const float rise = plume.rise[size_t(frame)], rise2 = plume.rise2[size_t(frame)];
  const int y1 = std::min(FloorInt(fy) + 1, canvas.height - 1);
  const int y0 = std::max(FloorInt(fy - 1.25f * scale), 0);
  for (int y = y0; y <= y1; ++y) {
    const float up = (fy - float(y) - 0.5f) / scale;  // 0 at the foot, 1 at the top
    if (up < 0) continue;
    const float half =
        plume.width *
        (plume.fire ? (1.1f - 0.85f * up) * std::sqrt(std::min(up * 6 + 0.15f, 1.0f)) : (0.5f + 2.1f * up));
    const float middle = fx + lean * up * up * scale;
    const int x0 = std::max(FloorInt(middle - 2.2f * half * scale - 2), 0);
    const int x1 = std::min(FloorInt(middle + 2.2f * half * scale + 2), canvas.width - 1);
    for (int x = x0; x <= x1; ++x) {
      const float across = (float(x) + 0.5f - middle) / scale;
      const V4 a = SampleRepeated(plume.noise, (0.5f + across) * size * 0.6f, (rise - up * size) * 0.6f);
      const V4 b =
          SampleRepeated(plume.noise, (0.2f + across) * size * 1.3f + 6 * a[0], (rise2 - up * size) * 1.1f);
      const float n = 0.6f * a[0] + 0.4f * b[0];  // about -1 to 1
      const float edge = 1 - std::abs(across + 0.1f * up * b[0]) / half;
      const size_t at = size_t(y) * canvas.width + x;
      if (plume.fire) {
        const float heat =
            Clamp01((edge * 0.9f + 0.55f * n - 0.75f * up * up + 0.12f) * (1.15f - 0.4f * up)) *
            SmoothStep(0, 0.06f, up);
        if (heat <= 0) continue;
        const V4 glow = FireColor(heat);
        canvas.pixels[at].v = canvas.pixels[at].v * Splat(1 - 0.7f * Clamp01(heat * 1.5f)) + glow;
        if (heat > 0.35f) canvas.owner[at] = id;
      } else {
        // Billows: rounder and thinner the higher they are.
        const float puff = 0.75f * n + 0.25f * std::abs(b[1]) - 0.1f;
        const float body = SmoothStep(-0.1f, 0.9f, edge + 0.8f * puff - 0.35f * up) *
                           SmoothStep(1.25f, 0.35f, up) * SmoothStep(0, 0.05f, up);
        if (body <= 0) continue;
        const float lit = 0.8f + 0.45f * puff - 0.25f * across / half;
        Blend(canvas, at, Paint(plume.color * Splat(std::max(lit, 0.2f)), Clamp01(body * plume.density)), id);
      }
    }
  }
}

std::array<float, 2> PlumeFlow(const Plume& plume, int frame, int to, float, float) {
  const auto from = size_t(frame), there = size_t(to);
  const float size = float(plume.noise.width);
  return {plume.foot[there][0] - plume.foot[from][0],
          plume.foot[there][1] - plume.foot[from][1] -
              (plume.rise[there] - plume.rise[from]) / size * plume.scale[from]};
}

void PaintFrame(const Scene& scene, int frame, Canvas& canvas) {
  for (size_t i = 0; i < scene.elements.size(); ++i) {
    const Element& element = scene.elements[i];
    if (const auto* plane = std::get_if<Plane>(&element)) PaintPlane(*plane, frame, uint8_t(i), canvas);
    if (const auto* solid = std::get_if<Solid>(&element)) PaintSolid(*solid, frame, uint8_t(i), canvas);
    if (const auto* water = std::get_if<Water>(&element)) PaintWater(*water, frame, uint8_t(i), canvas);
    if (const auto* plume = std::get_if<Plume>(&element)) PaintPlume(*plume, frame, uint8_t(i), canvas);
    if (const auto* moved = std::get_if<Moved>(&element)) PaintMoved(*moved, frame, uint8_t(i), canvas);
  }
}

std::array<float, 2> ElementFlow(const Element& element, int frame, int to, float x, float y) {
  if (const auto* plane = std::get_if<Plane>(&element)) return PlaneFlow(*plane, frame, to, x, y);
  if (const auto* solid = std::get_if<Solid>(&element)) return SolidFlow(*solid, frame, to, x, y);
  if (const auto* water = std::get_if<Water>(&element)) return WaterFlow(*water, frame, to, x, y);
  if (const auto* moved = std::get_if<Moved>(&element)) return MovedFlow(*moved, frame, to, x, y);
  return PlumeFlow(std::get<Plume>(element), frame, to, x, y);
}

}  // namespace mvd::synth
