// A town: skylines in parallax and cars.
#include "mvd/data/scene_kinds.h"

namespace mvd::synth {
namespace {

void AddSkyline(Builder& b, double depth, float base, float haze, float tall) {
  Stream& r = b.random;
  Rect rect = Cover(b, depth);
  const double bottom = rect.y + rect.height;
  rect.y = base - 1.5 * tall, rect.height = bottom - rect.y;
  const double density = Density(b, depth);
  Texture texture(int(rect.width * density) + 1, int(rect.height * density) + 1);
  const V4 lamp = FromScreen(1, 0.85f, 0.55f);
  const float lit_share = b.look.night ? r.Range(0.3f, 0.6f) : 0.04f;
  float x = 0;
  while (x < float(texture.width)) {
    const float width = float(density) * r.Range(0.07f, 0.2f) / std::sqrt(float(depth));
    const int top = std::max(int((base - rect.y - tall * r.Range(0.15f, 1.3f)) * density), 0);
    const V4 paint = FromHsv({r.Range(0.02f, 0.65f), r.Range(0.05f, 0.35f), r.Range(0.35f, 0.75f)});
    const V4 wall = paint * (b.look.light.ambient + b.look.light.color * Splat(r.Range(0.2f, 0.7f)));
    const float cell = std::max(float(density) * r.Range(0.018f, 0.03f), 3.0f);
    const uint32_t windows = r.Bits();
    const int x1 = std::min(int(x + width), texture.width);
    for (int px = std::max(int(x), 0); px < x1; ++px) {
      const float fx = (float(px) - x) / cell;
      for (int y = top; y < texture.height; ++y) {
        const float fy = float(y - top) / cell;
        const int column = FloorInt(fx), row = FloorInt(fy);
        const float ix = fx - float(column), iy = fy - float(row), soft = 1.2f / cell;
        const float pane = Clamp01((0.28f - std::abs(ix - 0.5f)) / soft + 0.5f) *
                           Clamp01((0.3f - std::abs(iy - 0.5f)) / soft + 0.5f);
        const uint32_t hash = Hash(windows, column, row);
        const bool lit = Unit(hash) < lit_share;
        const V4 glass = lit ? lamp * Splat(0.5f + 0.5f * Unit(Hash(hash)))
                             : Mix(b.look.zenith, wall, 0.4f) * Splat(b.look.night ? 0.4f : 0.8f);
        V4 color = Mix(wall * Splat(0.85f + 0.3f * (float(px) - x) / width), glass, pane);
        color = Mix(color, b.look.horizon, haze);
        texture.At(px, y) = Paint(color, 1);
      }
    }
    x += width + (r.Chance(0.3f) ? float(density) * 0.03f : 0);
  }
  b.Add(PlacePlane(b, std::move(texture), rect, depth));
}

void AddCar(Builder& b, double depth, double y, double length, float side) {
  Stream& r = b.random;
  const double density = Density(b, depth), height = length * 0.42;
  const V4 body = FromHsv({r.Uniform(), r.Range(0.1f, 0.9f), r.Range(0.4f, 0.95f)}) *
                  (b.look.light.ambient + b.look.light.color * Splat(0.6f));
  const float soft = 1 / float(std::max(length * density, 8.0));
  const bool bus = r.Chance(0.25f);
  Texture texture =
      PaintTexture(density, {-0.02, -0.02, 1.04 * length, 1.2 * height}, [&](float x, float yy) {
        const float u = x / float(length), v = yy / float(height);
        const auto in = [&](float distance) { return Clamp01(distance / soft + 0.5f); };
        const float lower =
            std::min(std::min(u - 0.01f, 0.99f - u), std::min(v - (bus ? 0.05f : 0.42f), 0.86f - v) * 0.42f);
        const float roof =
            std::min(std::min(u - 0.2f - 0.25f * (0.42f - v), 0.78f - u - 0.3f * (0.42f - v)), v - 0.06f);
        V4 color = Paint(body * Splat(1.15f - 0.4f * v),
                         std::max(in(lower), v < 0.5f ? in(std::min(roof, 0.45f - v)) : 0.0f));
        const float glass = bus ? std::min(std::min(v - 0.15f, 0.45f - v), std::min(u - 0.04f, 0.97f - u))
                                : std::min(roof - 0.035f, 0.4f - v);
        color =
            Mix(color, Paint(b.look.night ? FromScreen(0.9f, 0.8f, 0.5f) : b.look.zenith * Splat(0.6f), 1),
                in(glass)*0.9f);
        for (float wheel : {0.22f, 0.77f}) {
          const float dx = u - wheel, dy = (v - 0.84f) * 0.42f, d = std::sqrt(dx * dx + dy * dy);
          color = Mix(color, Paint(Splat(d < 0.045f ? 0.25f : 0.015f), 1), in(0.085f - d));
        }
        const float front = std::sqrt((u - 0.965f) * (u - 0.965f) + (v - 0.58f) * (v - 0.58f) * 0.18f);
        return Mix(color, Paint(FromScreen(1, 0.97f, 0.8f), 1), in(0.03f - front));
      });
  const double speed = side * b.pace * r.Range(0.5f, 1.3f), span = 2 * b.HalfWidth() + 1.5,
               start = r.Uniform() * span;
  Placement path;
  for (int t = 0; t < b.Frames(); ++t) {
    double x = start + speed * b.Seconds(t);
    x = x - Floor(x / span) * span - span / 2;
    path.push_back(Mat3::Shift(x, y - height) * Mat3::Scale(side, 1));
  }
  AddMipLevels(texture);
  b.Add(PlacePlane(b, std::move(texture), {-0.02, -0.02, 1.04 * length, 1.2 * height}, depth, path));
}

}  // namespace

void BuildCity(Builder& b) {
  Stream& r = b.random;
  ChooseLook(b);
  ChooseCamera(b, {0.9f, 0.1f, 0.2f, 0.01f});
  AddSky(b);
  if (b.look.night) AddStars(b, 0.6f);
  AddClouds(b, {r.Range(0.1f, 0.6f), float(b.pace) * 0.15f, 9, 0.1f});
  AddSkyline(b, 4, 0.2f, 0.55f, 0.35f);
  AddSkyline(b, 2.4, 0.28f, 0.25f, 0.4f);
  AddSkyline(b, 1.5, 0.36f, 0.05f, 0.38f);
  const Rect cover = Cover(b, 1.2);
  const Rect road{cover.x, 0.33, cover.width, std::max(cover.y + cover.height - 0.33, 0.1)};
  const V4 asphalt =
      FromScreen(0.3f, 0.3f, 0.32f) * (b.look.light.ambient + b.look.light.color * Splat(0.5f));
  Texture street = PaintTexture(Density(b, 1.2), road, [&](float x, float y) {
    const float dash = SmoothStep(0.012f, 0.008f, std::abs(y - 0.415f)) * (Sin(x * 3) > 0 ? 0.7f : 0.0f);
    const float kerb = SmoothStep(0.352f, 0.348f, y);
    return Opaque(Mix(Mix(asphalt, asphalt * Splat(2.2f), kerb), Splat(0.6f) * b.look.light.ambient, dash));
  });
  b.Add(PlacePlane(b, std::move(street), road, 1.2));
  const int cars = 3 + r.Int(4);
  for (int i = 0; i < cars; ++i) {
    const bool near = 2 * i >= cars;
    AddCar(b, 1.2, near ? 0.475 : 0.4, (near ? 0.3 : 0.22) * r.Range(0.9f, 1.2f), near ? 1.0f : -1.0f);
  }
}

}  // namespace mvd::synth
