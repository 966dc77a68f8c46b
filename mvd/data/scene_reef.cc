// Under water: fish, kelp, bubbles.
#include "mvd/data/scene_kinds.h"

namespace mvd::synth {
namespace {

// A fish that looks to +x, in a texture of 2:1.
Texture MakeFish(Builder& b, int width) {
  Stream& r = b.random;
  Texture texture(width, width / 2);
  const float hue = r.Uniform();
  const V4 back = FromHsv({hue, r.Range(0.5f, 0.9f), r.Range(0.6f, 0.95f)}),
           belly = FromHsv({hue + 0.08f, 0.25f, 0.97f});
  const V4 band = FromHsv({hue + r.Range(0.3f, 0.6f), 0.8f, r.Range(0.3f, 0.9f)});
  const float bands = float(r.Int(5)), fat = r.Range(0.28f, 0.42f);
  const float scale = float(width) / 2;
  for (int y = 1; y + 1 < texture.height; ++y) {
    for (int x = 1; x + 1 < texture.width; ++x) {
      const float u = (float(x) + 0.5f) / scale - 1,
                  v = (float(y) + 0.5f) / scale - 0.5f;  // [-1,1] x [-.5,.5]
      const float bu = (u - 0.15f) / 0.75f;
      const float body = fat * (1 - bu * bu) - std::abs(v) * (1.05f - 0.15f * bu);
      const float tail =
          std::min(std::min(-0.48f - u, u + 0.95f), (-0.42f - u) * 0.75f + 0.03f - std::abs(v));
      const float fin =
          std::min(std::min(0.42f + v * 0.9f - std::abs(u - 0.05f - 0.4f * v), -v), v + 0.46f) * 0.6f;
      const float inside = std::max(body, std::max(tail, fin));
      const float coverage = Clamp01(inside * scale + 0.5f);
      if (coverage == 0) continue;
      V4 color = Mix(back, belly, SmoothStep(-0.1f, 0.25f, v));
      if (bands > 0) color = Mix(color, band, SmoothStep(0.1f, 0.5f, Sin(u * bands * 0.8f)));
      if (body <= 0.01f) color = Mix(band, back, 0.5f);
      const float eye = std::sqrt((u - 0.62f) * (u - 0.62f) + (v + 0.05f) * (v + 0.05f));
      color = Mix(color, Splat(0.95f), Clamp01((0.07f - eye) * scale + 0.5f));
      color = Mix(color, Splat(0.01f), Clamp01((0.04f - eye) * scale + 0.5f));
      texture.At(x, y) = Paint(color * Splat(0.75f - 0.5f * v), coverage);
    }
  }
  AddMipLevels(texture);
  return texture;
}

void AddFish(Builder& b, double depth, double length) {
  Stream& r = b.random;
  const float side = r.Sign();
  const double speed = side * b.pace * r.Range(0.3f, 1.1f), y0 = r.Range(-0.38f, 0.34f), phase = r.Uniform();
  const double span = 2 * b.HalfWidth() + 2 * length, start = r.Uniform() * span;
  Placement path;
  for (int t = 0; t < b.Frames(); ++t) {
    double x = start + speed * b.Seconds(t);
    x = x - Floor(x / span) * span - span / 2;
    path.push_back(Mat3::Shift(x, y0 + 0.02 * Sin(0.4 * b.Seconds(t) + phase)) * Mat3::Scale(side, 1));
  }
  Plane plane = PlacePlane(b, MakeFish(b, std::max(int(length * Density(b, depth)), 12)),
                           {-length / 2, -length / 4, length, length / 2}, depth, path);
  plane.bend.along_x = false;
  const double beat = 0.4 + 2 * std::min(b.pace, 1.0);
  for (int t = 0; t < b.Frames(); ++t) {
    std::vector<float> offsets(static_cast<size_t>(plane.texture.width));
    for (size_t i = 0; i < offsets.size(); ++i) {
      const float back = 1 - float(i) / float(offsets.size());
      offsets[i] =
          0.09f * float(plane.texture.height) * back * back * Sin(beat * b.Seconds(t) + phase - 0.6 * back);
    }
    plane.bend.offsets.push_back(std::move(offsets));
  }
  b.Add(std::move(plane));
}

}  // namespace

void BuildReef(Builder& b) {
  Stream& r = b.random;
  ChooseLook(b, kDay);
  ChooseCamera(b, {0.5f, 0.2f, 0.2f, 0.04f});
  const float hue = r.Range(0.44f, 0.62f);
  b.look.zenith = FromHsv({hue, 0.8f, 0.25f}), b.look.horizon = FromHsv({hue, 0.55f, 0.8f});
  b.look.light.ambient = FromHsv({hue, 0.35f, 0.75f}), b.look.light.color = FromHsv({hue - 0.1f, 0.1f, 0.7f});
  const Rect rect = Cover(b, 10);
  const float tilt = r.Range(-0.5f, 0.5f);
  Texture back = PaintTexture(64, rect, [&](float x, float y) {
    const float down = Clamp01(y + 0.5f);
    const float shaft = 0.5f + 0.5f * Sin(1.1 * (x + tilt * y) + 0.2 * Sin(1.7 * (x + tilt * y)));
    return Opaque(Mix(b.look.horizon, b.look.zenith, Clamp01(down * 1.1f)) *
                  Splat(1 + 0.35f * shaft * (1 - down)));
  });
  b.Add(PlacePlane(b, std::move(back), rect, 10));
  AddHills(b, {4, 0.25f, 0.08f, 1.2f, FromHsv({hue - 0.05f, 0.4f, 0.4f}), 0.5f, 0});
  const int fish = 4 + r.Int(5);
  for (int i = 0; i < fish; ++i) {
    const float near = float(i + 1) / float(fish);
    AddFish(b, Mix(2.5f, 1, near), r.Range(0.12f, 0.22f) + 0.2f * near * near);
  }
  AddHills(b, {1.3, 0.42f, 0.05f, 1.6f, FromHsv({r.Range(0.06f, 0.13f), 0.35f, 0.8f}), 0.1f, 0});
  const float sway = std::min(0.1f + 0.5f * float(b.pace), 0.3f);
  AddGrass(b, {.top = 0.5,
               .depth = 1.1,
               .sway = sway,
               .hue = hue - 0.2f,
               .tall = r.Range(0.2f, 0.45f),
               .blades = 16,
               .width = 0.012f});
  const double rise = 0.08 + 0.5 * std::min(b.pace, 1.0);
  AddFlakes(b, {.radius = r.Range(0.007f, 0.014f),
                .count = 5,
                .speed = -rise,
                .drift = 0.05 * rise,
                .depth = 1.2,
                .color = FromScreen(0.85f, 0.95f, 1),
                .hollow = true});
}

}  // namespace mvd::synth
