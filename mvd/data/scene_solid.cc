// Balls and boxes that turn: shaded per pixel, their flow by carrying the surface point to the next frame.
#include "mvd/data/scene_layer.h"

namespace mvd::synth {
namespace {

using Vec3 = std::array<float, 3>;

float Dot(const Vec3& a, const Vec3& b) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }
Vec3 ToView(const Rotation& r, const Vec3& p) {
  return {r[0] * p[0] + r[1] * p[1] + r[2] * p[2], r[3] * p[0] + r[4] * p[1] + r[5] * p[2],
          r[6] * p[0] + r[7] * p[1] + r[8] * p[2]};
}
Vec3 ToObject(const Rotation& r, const Vec3& p) {
  return {r[0] * p[0] + r[3] * p[1] + r[6] * p[2], r[1] * p[0] + r[4] * p[1] + r[7] * p[2],
          r[2] * p[0] + r[5] * p[1] + r[8] * p[2]};
}

// Diffuse light that wraps a little round the edge, and a highlight (half-way vector, to the 32nd power).
V4 Shade(const Light& light, V4 albedo, const Vec3& normal, float gloss) {
  const Vec3& l = light.direction;
  const float diffuse = std::max((Dot(normal, l) + 0.15f) / 1.15f, 0.0f);
  const float half_length = std::sqrt(2 + 2 * l[2]);
  float s = std::max((Dot(normal, l) + normal[2]) / std::max(half_length, 1e-3f), 0.0f);
  s *= s, s *= s, s *= s, s *= s, s *= s;
  const float sky = 0.75f - 0.25f * normal[1];  // more light from above
  return Opaque(albedo * (light.ambient * Splat(sky) + light.color * Splat(diffuse)) +
                light.color * Splat(gloss * s));
}

V4 BallColor(const Solid& ball, const Rotation& rotation, const Vec3& normal, float radius) {
  const Vec3 p = ToObject(rotation, normal);
  const float size = float(ball.texture.width);
  const float u = Atan2(p[1], p[0]) * size * ball.texture_repeat;
  const float v = std::clamp(Acos(p[2]) * 2, 0.01f, 0.99f) * size * 0.5f * ball.texture_repeat;
  // Texels a pixel: the circumference over 2 pi r, more towards the rim.
  const float spread = size * ball.texture_repeat / (6.2832f * radius * std::max(normal[2], 0.12f));
  return Shade(ball.light, SampleLevel(ball.texture, u, v, RoughLog2(spread)), normal, ball.gloss);
}

void PaintBall(const Solid& ball, int frame, uint8_t id, Canvas& canvas) {
  const auto [cx, cy] = ball.center[size_t(frame)];
  const float r = ball.radius[size_t(frame)];
  const int y0 = std::max(FloorInt(cy - r - 1), 0), y1 = std::min(FloorInt(cy + r + 1), canvas.height - 1);
  const int x0 = std::max(FloorInt(cx - r - 1), 0), x1 = std::min(FloorInt(cx + r + 1), canvas.width - 1);
  for (int y = y0; y <= y1; ++y) {
    for (int x = x0; x <= x1; ++x) {
      const float dx = float(x) + 0.5f - cx, dy = float(y) + 0.5f - cy;
      const float square = dx * dx + dy * dy;
      if (square > (r + 0.5f) * (r + 0.5f)) continue;
      const float coverage = Clamp01(r + 0.5f - std::sqrt(square));
      Vec3 n = {dx / r, dy / r, 0};
      const float flat = n[0] * n[0] + n[1] * n[1];
      if (flat < 1) {
        n[2] = std::sqrt(1 - flat);
      } else {
        const float length = std::sqrt(flat);
        n[0] /= length, n[1] /= length;
      }
      Blend(canvas, size_t(y) * canvas.width + x,
            Paint(BallColor(ball, ball.rotation[size_t(frame)], n, r), coverage), id);
    }
  }
}

// One visible face of a box: its normal, and pixel offset from the centre -> place on the face in [-1, 1].
struct Face {
  int axis;
  float sign;
  Vec3 normal;                   // in view
  float ax, ay, bx, by, a0, b0;  // a = ax dx + ay dy + a0, b likewise: places on the face's two axes
  float soft_a, soft_b;          // change of a and b a pixel
};

int VisibleFaces(const Solid& box, int frame, Face* faces) {
  const Rotation& r = box.rotation[size_t(frame)];
  const float radius = box.radius[size_t(frame)];
  int count = 0;
  for (int axis = 0; axis < 3; ++axis) {
    for (float sign : {-1.0f, 1.0f}) {
      Vec3 n{};
      n[size_t(axis)] = sign;
      const Vec3 normal = ToView(r, n);
      if (normal[2] <= 0.02f) continue;
      const int first = (axis + 1) % 3, second = (axis + 2) % 3;
      const auto edge = [&](int k) {
        const float length = box.half_size[size_t(k)] * radius;
        return std::array<float, 2>{r[size_t(k)] * length, r[size_t(3 + k)] * length};
      };
      const auto p = edge(first), q = edge(second), o = edge(axis);
      const float determinant = p[0] * q[1] - p[1] * q[0];
      if (std::abs(determinant) < 1e-3f) continue;
      Face face{axis, sign, normal, 0, 0, 0, 0, 0, 0, 0, 0};
      face.ax = q[1] / determinant, face.ay = -q[0] / determinant;
      face.bx = -p[1] / determinant, face.by = p[0] / determinant;
      face.a0 = -sign * (face.ax * o[0] + face.ay * o[1]);
      face.b0 = -sign * (face.bx * o[0] + face.by * o[1]);
      face.soft_a = std::sqrt(face.ax * face.ax + face.ay * face.ay);
      face.soft_b = std::sqrt(face.bx * face.bx + face.by * face.by);
      faces[count++] = face;
    }
  }
  return count;
}

float Coverage(const Face& face, float a, float b) {
  return Clamp01((1 - std::abs(a)) / face.soft_a + 0.5f) * Clamp01((1 - std::abs(b)) / face.soft_b + 0.5f);
}

void PaintBox(const Solid& box, int frame, uint8_t id, Canvas& canvas) {
  Face faces[6];
  const int count = VisibleFaces(box, frame, faces);
  const auto [cx, cy] = box.center[size_t(frame)];
  const Vec3& h = box.half_size;
  const float r = box.radius[size_t(frame)] * std::sqrt(Dot(h, h));
  const int y0 = std::max(FloorInt(cy - r - 1), 0), y1 = std::min(FloorInt(cy + r + 1), canvas.height - 1);
  const int x0 = std::max(FloorInt(cx - r - 1), 0), x1 = std::min(FloorInt(cx + r + 1), canvas.width - 1);
  const float size = float(box.texture.width) * box.texture_repeat;
  for (int y = y0; y <= y1; ++y) {
    for (int x = x0; x <= x1; ++x) {
      const float dx = float(x) + 0.5f - cx, dy = float(y) + 0.5f - cy;
      V4 paint = Splat(0);
      for (int i = 0; i < count; ++i) {
        const Face& face = faces[i];
        const float a = face.ax * dx + face.ay * dy + face.a0, b = face.bx * dx + face.by * dy + face.b0;
        const float coverage = Coverage(face, a, b);
        if (coverage <= 0) continue;
        const float level = RoughLog2(0.5f * size * std::max(face.soft_a, face.soft_b));
        const V4 albedo = SampleLevel(box.texture, (0.5f + 0.5f * a) * size, (0.5f + 0.5f * b) * size, level);
        paint += Paint(Shade(box.light, albedo, face.normal, 0.3f * box.gloss), coverage);
      }
      if (paint[3] > 1) paint *= Splat(1 / paint[3]);  // faces that meet in a pixel cover it once
      if (paint[3] > 0) Blend(canvas, size_t(y) * canvas.width + x, paint, id);
    }
  }
}

// The surface point at an offset from the centre, in object coordinates and radii.
Vec3 SurfacePoint(const Solid& solid, int frame, float dx, float dy) {
  const Rotation& rotation = solid.rotation[size_t(frame)];
  const float r = solid.radius[size_t(frame)];
  if (solid.ball) {
    const float x = dx / r, y = dy / r;
    return ToObject(rotation, {x, y, std::sqrt(std::max(1 - x * x - y * y, 0.0f))});
  }
  Face faces[6];
  const int count = VisibleFaces(solid, frame, faces);
  Vec3 point{};
  float best = -1;
  for (int i = 0; i < count; ++i) {
    const Face& face = faces[i];
    const float a = face.ax * dx + face.ay * dy + face.a0, b = face.bx * dx + face.by * dy + face.b0;
    const float coverage = Coverage(face, a, b);
    if (coverage <= best) continue;
    best = coverage;
    const size_t first = size_t(face.axis + 1) % 3, second = size_t(face.axis + 2) % 3;
    point[size_t(face.axis)] = face.sign * solid.half_size[size_t(face.axis)];
    point[first] = a * solid.half_size[first];
    point[second] = b * solid.half_size[second];
  }
  return point;
}

}  // namespace

void PaintSolid(const Solid& solid, int frame, uint8_t id, Canvas& canvas) {
  if (solid.ball)
    PaintBall(solid, frame, id, canvas);
  else
    PaintBox(solid, frame, id, canvas);
}

std::array<float, 2> SolidFlow(const Solid& solid, int frame, int to, float x, float y) {
  const auto [cx, cy] = solid.center[size_t(frame)];
  const Vec3 point = SurfacePoint(solid, frame, x - cx, y - cy);
  const Vec3 next = ToView(solid.rotation[size_t(to)], point);
  const float r = solid.radius[size_t(to)];
  const auto [nx, ny] = solid.center[size_t(to)];
  return {nx + r * next[0] - x, ny + r * next[1] - y};
}

}  // namespace mvd::synth
