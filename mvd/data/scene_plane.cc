// Textured planes: painted row by row through the inverse map; their flow is the forward map of the next
// frame.
#include "mvd/data/scene_layer.h"

namespace mvd::synth {
namespace {

float Lookup(const std::vector<float>& table, float at) {
  const float x = std::min(std::max(at - 0.5f, 0.0f), float(table.size()) - 1.001f);
  const int i = int(x);
  return table[size_t(i)] + (table[size_t(i) + 1] - table[size_t(i)]) * (x - float(i));
}

// Cuts [begin, end) down to the x with lo <= start + step x <= hi.
void Cut(float start, float step, float lo, float hi, int& begin, int& end) {
  if (std::abs(step) < 1e-6f) {
    if (start < lo || start > hi) end = begin;
    return;
  }
  float a = (lo - start) / step, b = (hi - start) / step;
  if (a > b) std::swap(a, b);
  begin = std::max(begin, int(std::max(a - 1, -1.0f)));
  end = std::min(end, int(std::min(b + 2, 1e6f)));
}

float LargestBend(const Bend& bend, int frame) {
  float largest = 0;
  if (bend.offsets.empty()) return 0;
  for (float offset : bend.offsets[size_t(frame)]) largest = std::max(largest, std::abs(offset));
  return largest;
}

void Put(Canvas& canvas, size_t at, V4 paint, bool adds_light, uint8_t id) {
  if (adds_light)
    canvas.pixels[at].v += paint;
  else
    Blend(canvas, at, paint, id);
}

// The common case by itself, for speed: stiff, affine, no mip level.
void PaintStiffRow(const Plane& plane, int y, int begin, int end, std::array<float, 4> uv, uint8_t id,
                   Canvas& canvas) {
  for (int x = begin; x < end; ++x) {
    const float u = uv[0] + uv[2] * float(x), v = uv[1] + uv[3] * float(x);
    const V4 paint = SampleClamped(plane.texture, u, v);
    if (paint[3] > 0) Blend(canvas, size_t(y) * canvas.width + x, paint, id);
  }
}

void PaintBentRow(const Plane& plane, int frame, int y, int begin, int end, std::array<float, 4> uv,
                  float level, uint8_t id, Canvas& canvas) {
  const std::vector<float>* bend = plane.bend.offsets.empty() ? nullptr : &plane.bend.offsets[size_t(frame)];
  const std::vector<float>* gain = plane.gains.empty() ? nullptr : &plane.gains[size_t(frame)];
  for (int x = begin; x < end; ++x) {
    float u = uv[0] + uv[2] * float(x), v = uv[1] + uv[3] * float(x);
    const float along = plane.bend.along_x ? v : u;
    if (bend) (plane.bend.along_x ? u : v) += Lookup(*bend, along);
    V4 paint = SampleLevel(plane.texture, u, v, level);
    if (paint[3] == 0 && !plane.adds_light) continue;
    if (gain) {
      const float alpha = paint[3];
      paint *= Splat(Lookup(*gain, along));
      paint[3] = alpha;
    }
    Put(canvas, size_t(y) * canvas.width + x, paint, plane.adds_light, id);
  }
}

void PaintAffine(const Plane& plane, int frame, uint8_t id, Canvas& canvas) {
  const auto& m = plane.to_texel[size_t(frame)].m;
  const float shrink = float(std::sqrt(std::abs(m[0] * m[4] - m[1] * m[3])));  // texels a pixel
  const float level = plane.texture.smaller.empty() ? 0 : RoughLog2(shrink);
  const float margin = 0.5f + LargestBend(plane.bend, frame);
  const bool stiff = plane.bend.offsets.empty() && plane.gains.empty() && level <= 0 && !plane.adds_light &&
                     !plane.texture.repeat;
  for (int y = 0; y < canvas.height; ++y) {
    const double py = y + 0.5;
    const std::array<float, 4> uv = {float(m[0] * 0.5 + m[1] * py + m[2]),
                                     float(m[3] * 0.5 + m[4] * py + m[5]), float(m[0]), float(m[3])};
    int begin = 0, end = canvas.width;
    if (!plane.texture.repeat) {
      Cut(uv[0], uv[2], -margin, float(plane.texture.width) + margin, begin, end);
      Cut(uv[1], uv[3], -margin, float(plane.texture.height) + margin, begin, end);
    }
    if (stiff)
      PaintStiffRow(plane, y, begin, end, uv, id, canvas);
    else
      PaintBentRow(plane, frame, y, begin, end, uv, level, id, canvas);
  }
}

// Ground: u, v and w are linear in the pixel; what lies near w = 0 is far away.
void PaintGround(const Plane& plane, int frame, uint8_t id, Canvas& canvas) {
  const auto& m = plane.to_texel[size_t(frame)].m;
  const float level0 = GroundLevel(plane.to_texel[size_t(frame)]);
  const float edge = float(std::sqrt(m[6] * m[6] + m[7] * m[7]));  // w of one pixel below the horizon
  for (int y = 0; y < canvas.height; ++y) {
    const double py = y + 0.5;
    for (int x = 0; x < canvas.width; ++x) {
      const double px = x + 0.5;
      const float w = float(m[6] * px + m[7] * py + m[8]);
      if (w <= 0) continue;
      const float u = float(m[0] * px + m[1] * py + m[2]) / w, v = float(m[3] * px + m[4] * py + m[5]) / w;
      const float far_away = Clamp01(plane.haze_w / w);
      V4 paint = plane.haze;
      if (far_away < 1) {
        paint = Mix(SampleLevel(plane.texture, u, v, level0 - 1.5f * RoughLog2(w)), plane.haze,
                    far_away * far_away);
      }
      Blend(canvas, size_t(y) * canvas.width + x, paint * Splat(Clamp01(w / edge)), id);
    }
  }
}

}  // namespace

float GroundLevel(const Mat3& to_texel) {
  const auto& m = to_texel.m;
  const double determinant = m[0] * (m[4] * m[8] - m[5] * m[7]) - m[1] * (m[3] * m[8] - m[5] * m[6]) +
                             m[2] * (m[3] * m[7] - m[4] * m[6]);
  return 0.5f * RoughLog2(float(std::abs(determinant)));
}

void PaintPlane(const Plane& plane, int frame, uint8_t id, Canvas& canvas) {
  if (plane.to_texel[size_t(frame)].Affine())
    PaintAffine(plane, frame, id, canvas);
  else
    PaintGround(plane, frame, id, canvas);
}

std::array<float, 2> PlaneFlow(const Plane& plane, int frame, int to, float x, float y) {
  auto [u, v] = plane.to_texel[size_t(frame)](x, y);
  if (!plane.bend.offsets.empty()) {
    const auto& now = plane.bend.offsets[size_t(frame)];
    const auto& next = plane.bend.offsets[size_t(to)];
    const float along = float(plane.bend.along_x ? v : u);
    (plane.bend.along_x ? u : v) += Lookup(now, along) - Lookup(next, along);
  }
  const auto [px, py] = plane.to_pixel[size_t(to)](u, v);
  return {float(px) - x, float(py) - y};
}

}  // namespace mvd::synth
