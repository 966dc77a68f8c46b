// Flat cut-outs: discs, blobs, stars, ... filled with a material and given a soft rim of light.
#include "mvd/data/scene_builder.h"

namespace mvd::synth {
namespace {

// Signed distance to the shape's edge in radii, positive inside; a the angle in turns, r the distance.
float Inside(Shape shape, float x, float y, const float* wobble) {
  const float r = std::sqrt(x * x + y * y);
  switch (shape) {
    case Shape::kDisc:
      return 0.95f - r;
    case Shape::kBlob: {
      const float a = Atan2(y, x);
      float edge = 0.72f;
      for (int k = 0; k < 3; ++k) edge += wobble[k] * Sin((k + 2) * a + wobble[3 + k]);
      return edge - r;
    }
    case Shape::kStar: {
      float a = Atan2(y, x) * 5;
      a = std::abs(a - float(FloorInt(a + 0.5f))) / 5;  // fold to a tenth of a turn
      return 0.42f - (r * Cos(a) * 0.55f + r * Sin(a) * 0.76f - 0.0f) + 0.10f;
    }
    case Shape::kRing:
      return 0.26f - std::abs(r - 0.66f);
    case Shape::kSquare:
      return 0.66f - std::max(std::abs(x), std::abs(y));
    case Shape::kLeaf: {
      const float side = std::abs(y) + 0.45f;
      return 1.0f - std::sqrt(x * x * 0.95f + side * side * 1.0f) - 0.02f;
    }
    case Shape::kHeart: {
      const float hx = std::abs(x), hy = -y + 0.15f;
      const float lobe = 0.45f - std::sqrt((hx - 0.38f) * (hx - 0.38f) + (hy - 0.25f) * (hy - 0.25f));
      const float tip = (0.52f - hx * 0.78f + (hy - 0.05f) * 0.62f);
      return hy > 0.1f + 0.35f * hx ? std::max(lobe, std::min(tip, 0.2f - hy)) : std::min(tip, 0.83f - hx);
    }
    case Shape::kTriangle:
      return std::min(0.45f - y, 0.42f + 0.5f * y - 0.866f * std::abs(x) + 0.05f);
  }
  return 0;
}

}  // namespace

Texture MakeCutOut(Builder& b, Shape shape, double radius_texels, Texture material) {
  float wobble[6];
  for (int k = 0; k < 3; ++k) wobble[k] = b.random.Range(-0.12f, 0.12f), wobble[3 + k] = b.random.Uniform();
  const int size = std::max(int(2.1 * radius_texels + 4), 8);
  const float scale = float(radius_texels), middle = float(size) * 0.5f;
  const float level = RoughLog2(std::max(float(material.width) / (2 * scale), 0.01f));
  const Light& light = b.look.light;
  Texture texture(size, size);
  for (int y = 0; y < size; ++y) {
    for (int x = 0; x < size; ++x) {
      const float u = (float(x) + 0.5f - middle) / scale, v = (float(y) + 0.5f - middle) / scale;
      const float inside = Inside(shape, u, v, wobble);
      const float coverage = Clamp01(inside * scale + 0.5f);
      if (coverage == 0) continue;
      const float rim = 1 - SmoothStep(0, 0.16f, inside);
      const V4 albedo = SampleLevel(material, (u * 0.5f + 0.5f) * float(material.width),
                                    (v * 0.5f + 0.5f) * float(material.width), level);
      const V4 color = albedo * (light.ambient * Splat(1.3f) + light.color * Splat(0.6f - 0.35f * rim));
      texture.At(x, y) = Paint(color, coverage);
    }
  }
  for (int i = 0; i < size; ++i) {  // a clear border: what continues outside must be nothing
    texture.At(i, 0) = texture.At(i, size - 1) = texture.At(0, i) = texture.At(size - 1, i) = Splat(0);
  }
  AddMipLevels(texture);
  return texture;
}

Texture MakeShadow(double radius_texels) {
  const int size = std::max(int(2 * radius_texels * 0.5) + 4, 8);  // soft: half density
  Texture texture(size, size);
  for (int y = 1; y + 1 < size; ++y) {
    for (int x = 1; x + 1 < size; ++x) {
      const float u = (float(x) + 0.5f) / float(size) * 2 - 1, v = (float(y) + 0.5f) / float(size) * 2 - 1;
      texture.At(x, y) = V4{0, 0, 0, 0.5f * SmoothStep(1, 0.25f, std::sqrt(u * u + v * v))};
    }
  }
  return texture;
}

}  // namespace mvd::synth
