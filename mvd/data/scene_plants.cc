// Plants that sway, and flakes that fall or rise.
#include "mvd/data/scene_builder.h"

namespace mvd::synth {
namespace {

// Ellipses in many greens, denser and darker inside: a tree's crown or a shrub, filling a square texture.
void PaintLeaves(Builder& b, Texture& texture, float cx, float cy, float rx, float ry, int count, float leaf,
                 float hue) {
  Stream& r = b.random;
  const Light& light = b.look.light;
  for (int i = 0; i < count; ++i) {
    const float layer = float(i) / float(count);  // the last ones lie on top and in the light
    const float angle = r.Uniform(), distance = std::sqrt(r.Uniform());
    const float ox = distance * Cos(angle), oy = distance * Sin(angle);
    const float x0 = cx + rx * ox, y0 = cy + ry * oy;
    const float facing =
        Clamp01(0.5f + 0.45f * (ox * light.direction[0] + oy * light.direction[1]) + 0.25f * layer - 0.15f);
    const V4 albedo = FromHsv({hue + r.Range(-0.03f, 0.03f), r.Range(0.45f, 0.7f), r.Range(0.45f, 0.75f)});
    const V4 color =
        albedo * (light.ambient * Splat(0.4f + 0.6f * layer) + light.color * Splat(1.1f * facing));
    const float c = Cos(r.Uniform() * 0.5f), s = std::sqrt(std::max(1 - c * c, 0.0f));
    const float length = leaf * r.Range(0.7f, 1.4f), width = length * 0.5f;
    const int reach = int(length + 1.5f);
    for (int y = std::max(int(y0) - reach, 1); y <= std::min(int(y0) + reach, texture.height - 2); ++y) {
      for (int x = std::max(int(x0) - reach, 1); x <= std::min(int(x0) + reach, texture.width - 2); ++x) {
        const float dx = float(x) + 0.5f - x0, dy = float(y) + 0.5f - y0;
        const float a = (c * dx + s * dy) / length, e = (c * dy - s * dx) / width;
        const float inside = (1 - (a * a + e * e)) * width * 0.5f;
        if (inside < -0.5f) continue;
        const V4 paint = Paint(color, Clamp01(inside + 0.5f));
        texture.At(x, y) = paint + texture.At(x, y) * Splat(1 - paint[3]);
      }
    }
  }
}

// Sway: 0 at the foot, growing as the square of the height, in texels.
Bend SwayBend(Builder& b, const Texture& texture, float amplitude, double rate, float ripple) {
  Bend bend;
  const double phase = b.random.Uniform();
  for (int t = 0; t < b.Frames(); ++t) {
    std::vector<float> offsets(static_cast<size_t>(texture.height));
    const double s = b.Seconds(t);
    for (size_t y = 0; y < offsets.size(); ++y) {
      const float up = 1 - float(y) / float(offsets.size());
      offsets[y] = amplitude * float(texture.width) * up * up *
                   (Sin(rate * s + phase) + ripple * Sin(2.3 * rate * s + phase + 0.7 * up));
    }
    bend.offsets.push_back(std::move(offsets));
  }
  return bend;
}

}  // namespace

void AddTree(Builder& b, const TreeStyle& style) {
  const auto [x, foot, height, depth, sway] = style;
  Stream& r = b.random;
  const double density = Density(b, depth), width = height * 1.0;
  Texture texture(int(width * density) + 8, int(height * density) + 4);
  const float w = float(texture.width), h = float(texture.height);
  const V4 bark = FromHsv({0.07f, 0.4f, r.Range(0.25f, 0.45f)}) *
                  (b.look.light.ambient + b.look.light.color * Splat(0.4f));
  for (int y = int(0.35f * h); y < texture.height - 1; ++y) {
    const float half = w * 0.035f * (0.5f + 0.8f * float(y) / h);
    for (int px = 1; px < texture.width - 1; ++px) {
      const float off = (float(px) + 0.5f - 0.5f * w) / half;
      texture.At(px, y) = Paint(bark * Splat(1 + 0.4f * off * b.look.light.direction[0]),
                                Clamp01((1 - std::abs(off)) * half + 0.5f));
    }
  }
  const float hue = r.Chance(0.8f) ? r.Range(0.2f, 0.36f) : r.Range(0.03f, 0.12f);
  const float leaf = std::clamp(0.028f * h, 1.3f, 5.0f);
  const bool conifer = r.Chance(0.3f);
  const int clusters = conifer ? 9 : 7;
  for (int k = 0; k < clusters; ++k) {
    const float level = float(k) / float(clusters - 1);
    const float cx = conifer ? 0.5f * w : w * r.Range(0.34f, 0.66f),
                cy = conifer ? h * Mix(0.82f, 0.08f, level) : h * r.Range(0.22f, 0.5f);
    const float rx = conifer ? w * Mix(0.3f, 0.03f, level) : w * r.Range(0.15f, 0.25f);
    const float ry = conifer ? h * 0.06f : rx * 0.8f;
    PaintLeaves(b, texture, cx, cy, rx, ry, int(2.2f * rx * ry / (leaf * leaf)) + 8, leaf, hue);
  }
  const Rect rect{x - width / 2, foot - height, width, height};
  Plane plane = PlacePlane(b, std::move(texture), rect, depth);
  plane.bend = SwayBend(b, plane.texture, sway, r.Range(0.3f, 0.7f), 0.3f);
  b.Add(std::move(plane));
}

void AddGrass(Builder& b, const GrassStyle& style) {
  Stream& r = b.random;
  const double depth = style.depth, tall = style.tall;
  Rect rect = Cover(b, depth);
  const double bottom = rect.y + rect.height;
  rect.y = style.top - tall;
  rect.height = bottom - rect.y;
  if (rect.height < 0.05) return;
  const double density = Density(b, depth);
  Texture texture(int(rect.width * density) + 1, int(rect.height * density) + 1);
  const int blades = int(rect.width * style.blades);
  for (int i = 0; i < blades; ++i) {
    const float layer = float(i) / float(blades);
    const float foot = float((tall + 0.5 * layer * (rect.height - tall)) * density);
    const float length = float(tall * density) * r.Range(0.4f, 1.0f), lean = r.Range(-0.5f, 0.5f) * length;
    const float x0 = r.Uniform() * float(texture.width),
                half = std::max(float(density) * style.width, 0.6f) * r.Range(0.7f, 1.6f);
    const V4 color = FromHsv({style.hue + r.Range(-0.04f, 0.04f), r.Range(0.5f, 0.75f),
                              Mix(0.35f, 0.7f, layer) * r.Range(0.8f, 1.1f)}) *
                     (b.look.light.ambient + b.look.light.color * Splat(0.6f));
    for (int y = std::max(int(foot - length), 1);
         y < texture.height && float(y) < foot + float(density) * 0.1f; ++y) {
      const float up = Clamp01((foot - float(y)) / length);
      const float x = x0 + lean * up * up, wide = half * (1 - up) + 0.25f;
      for (int px = std::max(int(x - wide - 1), 0); px <= std::min(int(x + wide + 1), texture.width - 1);
           ++px) {
        const float coverage =
            Clamp01(wide + 0.5f - std::abs(float(px) + 0.5f - x)) * Clamp01(1.4f * wide + 0.3f);
        const V4 paint = Paint(color * Splat(0.55f + 0.6f * up), coverage);
        texture.At(px, y) = paint + texture.At(px, y) * Splat(1 - paint[3]);
      }
    }
  }
  Plane plane = PlacePlane(b, std::move(texture), rect, depth);
  plane.bend =
      SwayBend(b, plane.texture, style.sway * style.tall / float(rect.width), r.Range(0.4f, 0.9f), 0.4f);
  b.Add(std::move(plane));
}

// Small soft discs on a repeating sheet that falls and sways.
void AddFlakes(Builder& b, const FlakeStyle& style) {
  Stream& r = b.random;
  const int size = b.scene.height > 160 ? 256 : 128;
  Texture texture(size, size);
  texture.repeat = true;
  const float scale = style.radius * float(size);
  for (int i = 0; i < style.count; ++i) {
    const float x0 = r.Uniform() * float(size), y0 = r.Uniform() * float(size),
                own = scale * r.Range(0.6f, 1.3f);
    const int reach = int(own + 2);
    for (int y = int(y0) - reach; y <= int(y0) + reach; ++y) {
      for (int x = int(x0) - reach; x <= int(x0) + reach; ++x) {
        const float dx = float(x) + 0.5f - x0, dy = float(y) + 0.5f - y0;
        const float distance = std::sqrt(dx * dx + dy * dy);
        float cover = 0.95f * SmoothStep(own + 0.7f, std::min(own - 0.7f, own * 0.4f), distance);
        if (style.hollow) cover *= 0.2f + 0.8f * SmoothStep(own * 0.3f, own * 0.9f, distance);
        const V4 paint = Paint(style.color, cover);
        V4& texel = texture.At(x & (size - 1), y & (size - 1));
        texel = paint + texel * Splat(1 - paint[3]);
      }
    }
  }
  const double start_x = r.Uniform(), start_y = r.Uniform();
  Placement fall;
  for (int t = 0; t < b.Frames(); ++t) {
    const double s = b.Seconds(t);
    fall.push_back(Mat3::Shift(start_x + style.drift * s, start_y + style.speed * s));
  }
  Plane plane = PlacePlane(b, std::move(texture), {0, 0, 1, 1}, style.depth, fall);
  plane.adds_light = style.glow;
  b.Add(std::move(plane));
}

}  // namespace mvd::synth
