// Skies, hills, grounds, photographs: what lies behind.
#include "mvd/data/scene_builder.h"

namespace mvd::synth {
namespace {

struct LookRow {
  float zenith[3], horizon[3], sun[3];  // screen values
  float ambient, light, sun_y;
};
// By hour; the strange one is drawn anew each time.
constexpr LookRow kLookRows[kLooks - 1] = {
    {{0.22f, 0.47f, 0.84f}, {0.74f, 0.87f, 0.96f}, {1.0f, 0.97f, 0.88f}, 0.42f, 0.85f, -0.34f},
    {{0.25f, 0.27f, 0.52f}, {0.99f, 0.66f, 0.38f}, {1.0f, 0.80f, 0.50f}, 0.34f, 0.80f, -0.02f},
    {{0.42f, 0.54f, 0.80f}, {1.00f, 0.82f, 0.74f}, {1.0f, 0.90f, 0.76f}, 0.40f, 0.75f, -0.08f},
    {{0.10f, 0.12f, 0.32f}, {0.66f, 0.40f, 0.52f}, {0.95f, 0.60f, 0.60f}, 0.28f, 0.50f, 0.03f},
    {{0.53f, 0.59f, 0.66f}, {0.82f, 0.85f, 0.87f}, {0.95f, 0.96f, 0.98f}, 0.55f, 0.45f, -0.36f},
    {{0.02f, 0.03f, 0.10f}, {0.11f, 0.15f, 0.30f}, {0.70f, 0.78f, 0.95f}, 0.16f, 0.30f, -0.27f},
};

V4 Screen(const float* c) { return FromScreen(c[0], c[1], c[2]); }

}  // namespace

void ChooseLook(Builder& b) { ChooseLook(b, b.random.Int(kLooks)); }

void ChooseLook(Builder& b, int at) {
  Stream& r = b.random;
  Look& look = b.look;
  const float hue = r.Uniform(), jitter = r.Range(-0.03f, 0.03f);
  LookRow row = kLookRows[at == kStrange ? r.Int(2) : at];
  look.zenith = Screen(row.zenith), look.horizon = Screen(row.horizon), look.sun = Screen(row.sun);
  if (at == kStrange) {
    look.zenith = FromHsv({hue, r.Range(0.3f, 0.7f), r.Range(0.3f, 0.75f)});
    look.horizon = FromHsv({hue + r.Range(0.1f, 0.5f), r.Range(0.2f, 0.5f), r.Range(0.8f, 0.98f)});
  }
  for (int c = 0; c < 3; ++c) look.zenith[c] *= 1 + 4 * jitter * float(c - 1);
  look.ground = Mix(look.zenith, look.horizon, 0.5f);
  look.night = at == kNight;
  look.sun_x = r.Range(-0.85f, 0.85f) * float(b.HalfWidth());
  look.sun_y = row.sun_y + r.Range(-0.1f, 0.08f);
  Light& light = look.light;
  const float lx = look.sun_x / float(b.HalfWidth()) * 0.8f, ly = -0.75f, lz = r.Range(0.35f, 0.8f);
  const float length = std::sqrt(lx * lx + ly * ly + lz * lz);
  light.direction = {lx / length, ly / length, lz / length};
  light.color = look.sun * Splat(row.light);
  light.ambient = Mix(look.zenith, Splat(0.6f), 0.6f) * Splat(row.ambient * 1.6f);
}

void AddSky(Builder& b) {
  const double depth = 12;
  const Rect rect = Cover(b, depth);
  const Look& look = b.look;
  // Soft everywhere: a coarse texture, interpolated, is exact enough and leaves no bands.
  Texture texture = PaintTexture(48, rect, [&](float x, float y) {
    const float up = Clamp01((0.12f - y) / 0.62f);
    V4 color = Mix(look.horizon, look.zenith, up * (1.6f - 0.6f * up));
    const float dx = x - look.sun_x, dy = y - look.sun_y, square = dx * dx + dy * dy;
    color += look.sun * Splat((look.night ? 0.06f : 0.22f) / (1 + 22 * square));
    return Opaque(color);
  });
  b.Add(PlacePlane(b, std::move(texture), rect, depth));
  if (look.sun_y > 0.05f) return;
  const double radius = look.night ? 0.035 : 0.045;
  const Rect disc{look.sun_x - 1.5 * radius, look.sun_y - 1.5 * radius, 3 * radius, 3 * radius};
  const double density = Density(b, depth);
  const float softness = float(1 / density);
  Texture sun = PaintTexture(density, disc, [&](float x, float y) {
    const float dx = x - look.sun_x, dy = y - look.sun_y;
    const float inside = Clamp01((float(radius) - std::sqrt(dx * dx + dy * dy)) / softness + 0.5f);
    return Paint(Mix(look.sun, Splat(1.2f), 0.6f), inside);
  });
  b.Add(PlacePlane(b, std::move(sun), disc, depth));
}

void AddStars(Builder& b, float strength) {
  const double depth = 14;
  const Rect rect = Cover(b, depth);
  const double density = Density(b, depth);
  Texture texture(int(rect.width * density), int(rect.height * density));
  const int count = int(rect.width * rect.height * 320);
  for (int i = 0; i < count; ++i) {
    const float x = b.random.Range(2, float(texture.width) - 3),
                y = b.random.Range(2, float(texture.height) - 3);
    const float bright = strength * b.random.LogRange(0.03f, 1.0f);
    const V4 color = Mix(FromScreen(1, 0.9f, 0.75f), FromScreen(0.75f, 0.85f, 1), b.random.Uniform());
    const int ix = int(x), iy = int(y);
    const float fx = x - float(ix), fy = y - float(iy);
    texture.At(ix, iy) += color * Splat(bright * (1 - fx) * (1 - fy));
    texture.At(ix + 1, iy) += color * Splat(bright * fx * (1 - fy));
    texture.At(ix, iy + 1) += color * Splat(bright * (1 - fx) * fy);
    texture.At(ix + 1, iy + 1) += color * Splat(bright * fx * fy);
  }
  Plane stars = PlacePlane(b, std::move(texture), rect, depth);
  stars.adds_light = true;
  b.Add(std::move(stars));
}

void AddClouds(Builder& b, const CloudStyle& style) {
  const auto [amount, wind, depth, base_y] = style;
  Placement drift;
  // The texture covers all that passes: at most three frame heights, however long the clip.
  const double speed = std::clamp(double(wind), -3 / b.Duration(), 3 / b.Duration());
  for (int t = 0; t < b.Frames(); ++t) drift.push_back(Mat3::Shift(speed * b.Seconds(t), 0));
  Rect rect = Cover(b, depth, drift);
  rect.height = std::min(rect.height, base_y - rect.y);
  if (rect.height <= 0.02) return;
  // Clouds are soft: half the frame's density will do.
  const double density = Density(b, depth) * 0.6;
  const int width = std::max(int(rect.width * density), 2), height = std::max(int(rect.height * density), 2);
  const float stretch = b.random.Range(1.2f, 3.0f), size = b.random.Range(1.2f, 2.4f);
  const Map shape = FractalNoise(width, height, rect, {size, size * stretch, 6, 0.52, b.random.Bits()});
  const Look& look = b.look;
  const V4 bright = Mix(look.sun, Splat(look.night ? 0.1f : 1.0f), look.night ? 0.8f : 0.5f);
  const V4 dark = Mix(look.zenith, look.horizon, 0.6f) * Splat(0.72f);
  const int step_x = look.sun_x > 0 ? 3 : -3;
  Texture texture(width, height);
  for (int y = 0; y < height; ++y) {
    const float wy = float(rect.y + rect.height * (y + 0.5) / height);
    const float fade = SmoothStep(base_y, base_y - 0.22f, wy);
    for (int x = 0; x < width; ++x) {
      const float n = shape.At(x, y);
      const float cover = SmoothStep(0.75f - amount, 1.35f - amount, n) * fade;
      const float toward_sun = shape.AtClamped(x + step_x, y - 3);
      const float lit = Clamp01(0.62f + 0.8f * (n - toward_sun) - 0.12f * (n - 0.3f));
      texture.At(x, y) = Paint(Mix(dark, bright, lit), 0.96f * cover);
    }
  }
  b.Add(PlacePlane(b, std::move(texture), rect, depth, drift));
}

void AddHills(Builder& b, const HillStyle& style) {
  Rect rect = Cover(b, style.depth);
  const double top = style.top - 2.2 * style.relief, bottom = rect.y + rect.height;
  rect.y = std::max(rect.y, top);
  rect.height = bottom - rect.y;
  if (rect.height <= 0.01) return;
  const double density = Density(b, style.depth);
  const int width = int(rect.width * density) + 1, height = std::max(int(rect.height * density) + 1, 2);
  const double step = rect.width / width;
  const auto ridge = FractalLine(width, rect.x + step / 2, step, style.frequency, 8, 0.46, b.random.Bits());
  const Map rough = FractalNoise(width, height, rect, {5, 8, 6, 0.6, b.random.Bits()});
  const Light& light = b.look.light;
  const V4 snow = FromScreen(0.95f, 0.97f, 1);
  const V4 rock = Mix(style.color, Splat(0.16f), 0.55f);
  const float slope_x = light.direction[0] > 0 ? 1.0f : -1.0f;
  const float relief_gain = 1.1f;
  Texture texture(width, height);
  for (int x = 0; x < width; ++x) {
    const float crest = style.top + style.relief * ridge[size_t(x)];
    const float rise = ridge[size_t(std::min(x + 2, width - 1))] - ridge[size_t(std::max(x - 2, 0))];
    const float facing = std::clamp(rise * slope_x * 2.5f, -0.5f, 0.5f);
    for (int y = 0; y < height; ++y) {
      const float wy = float(rect.y + rect.height * (y + 0.5) / height), below = wy - crest;
      const float coverage = Clamp01(below * float(density) + 0.5f);
      if (coverage == 0) continue;
      const float n = rough.At(x, y);
      const float bump = (rough.AtClamped(x + int(2 * slope_x), y - 1) - n) * -relief_gain;
      const float shade = std::clamp(0.55f + 0.7f * bump + facing * (1 - Clamp01(below * 3)), 0.08f, 1.25f);
      const float white =
          style.snow * SmoothStep(0.03f, -0.05f, crest + below * 1.6f - style.top + 0.05f * n);
      V4 color = Mix(Mix(style.color, rock, Clamp01(0.4f + 0.6f * n)), snow, white);
      color = color * (light.ambient + light.color * Splat(shade));
      color = Mix(color, b.look.horizon, style.haze * (1 - 0.3f * Clamp01(below * 2)));
      texture.At(x, y) = Paint(color, coverage);
    }
  }
  b.Add(PlacePlane(b, std::move(texture), rect, style.depth));
}

void AddRange(Builder& b, const RangeStyle& range) {
  const auto [ridges, first_top, last_top] = range;
  Stream& r = b.random;
  const float hue = r.Chance(0.6f)   ? r.Range(0.18f, 0.36f)
                    : r.Chance(0.5f) ? r.Range(0.04f, 0.12f)
                                     : r.Uniform();
  const float snow = r.Chance(0.35f) ? 1.0f : 0.0f, frequency = r.Range(0.8f, 2);
  for (int i = 0; i < ridges; ++i) {
    const float near = ridges == 1 ? 1 : float(i) / float(ridges - 1);
    HillStyle style;
    style.depth = Mix(7, 1.3f, std::sqrt(near));
    style.top = Mix(first_top, last_top, near);
    style.relief = Mix(0.13f, 0.06f, near) * r.Range(0.6f, 1.3f);
    style.frequency = frequency * Mix(1.6f, 0.9f, near);
    style.color = FromHsv(
        {hue + 0.04f * r.Range(-1, 1), r.Range(0.3f, 0.6f), Mix(0.5f, 0.62f, near) * r.Range(0.8f, 1.1f)});
    style.haze = 0.72f * (1 - near) * (1 - 0.3f * near) + 0.04f;
    style.snow = i + 1 < ridges ? snow : 0;
    AddHills(b, style);
  }
}

void AddGround(Builder& b, Texture texture, const GroundStyle& style) {
  const auto [horizon, eye, size, speed_x, speed_z] = style;
  Plane plane;
  const double texels = texture.width / size, x0 = b.random.Uniform() * 8, z0 = b.random.Uniform() * 8;
  for (int t = 0; t < b.Frames(); ++t) {
    const CameraFrame& c = b.camera[size_t(t)];
    const double s = b.Seconds(t), h = b.scene.height;
    // Pixels -> frame heights from the vanishing point, rolled.
    const Mat3 ray = Mat3::Turn(-c.roll) * Mat3::Scale(1 / (h * c.zoom), 1 / (h * c.zoom)) *
                     Mat3::Shift(-b.scene.width * 0.5, -b.scene.height * 0.5);
    const Mat3 down = Mat3::Shift(c.x, c.y / 8 - horizon) * ray;
    // (dx, dy) -> (eye dx, eye, dy): ground coordinates over w = dy.
    const Mat3 ground{{eye, 0, 0, 0, 0, eye, 0, 1, 0}};
    const Mat3 moved = Mat3::Shift(x0 + speed_x * s, z0 + speed_z * s) * ground;
    plane.to_texel.push_back(Mat3::Scale(texels, -texels) * moved * down);
    plane.to_pixel.push_back(plane.to_texel.back().Inverse());
  }
  plane.texture = std::move(texture);
  plane.haze = Mix(b.look.horizon, plane.texture.smaller.back().At(0, 0), 0.35f);
  plane.haze_w = 0.009f;
  b.Add(std::move(plane));
}

void AddBackdrop(Builder& b) {
  Stream& r = b.random;
  const double depth = r.Range(2, 5);
  const float hue = r.Uniform();
  if (!b.options.photos.empty() && r.Chance(0.5f)) return AddPhoto(b);
  const Rect rect = Cover(b, depth);
  const double density = Density(b, depth);
  const int width = int(rect.width * density) + 1, height = int(rect.height * density) + 1;
  if (r.Chance(0.35f)) {  // a wall of some material
    Texture material = RandomMaterial(b, 256, 4, 6);
    const float scale = float(material.width) * r.Range(0.5f, 1.1f), dim = r.Range(0.35f, 0.75f);
    const float level = RoughLog2(std::max(scale / float(density), 1.0f));
    Texture wall = PaintTexture(density, rect, [&](float x, float y) {
      const float vignette = 1.05f - 0.35f * (x * x / float(b.aspect * b.aspect) + y * y);
      return Opaque(SampleLevel(material, x * scale, y * scale, level) * Splat(dim * vignette));
    });
    return b.Add(PlacePlane(b, std::move(wall), rect, depth));
  }
  // Two colours that flow into each other, with soft light from one side.
  const V4 first = FromHsv({hue, r.Range(0.2f, 0.7f), r.Range(0.35f, 0.9f)});
  const V4 second = FromHsv({hue + r.Range(-0.25f, 0.25f), r.Range(0.2f, 0.7f), r.Range(0.3f, 0.95f)});
  const Map broad = FractalNoise(width, height, rect, {1, 1, 3, 0.4, r.Bits()});
  const Map fine = FractalNoise(width, height, rect, {6, 6, 6, 0.65, r.Bits()});
  const float fine_gain = r.Range(0.05f, 0.3f), tilt = r.Range(-0.6f, 0.6f);
  Texture texture(width, height);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const float v = float(y) / float(height), u = float(x) / float(width) - 0.5f;
      const float mix = Clamp01(v + tilt * u + 0.35f * broad.At(x, y));
      texture.At(x, y) = Opaque(Mix(first, second, mix) * Splat(1 + fine_gain * fine.At(x, y)));
    }
  }
  b.Add(PlacePlane(b, std::move(texture), rect, depth));
}

void AddPhoto(Builder& b) {
  Stream& r = b.random;
  const SynthPhoto& photo = b.options.photos[size_t(r.Int(int(b.options.photos.size())))];
  const Rect rect = Cover(b, 1);
  const double density = Density(b, 1);
  const Crop crop{r.Range(0.6f, 1), r.Uniform(), r.Uniform(), r.Chance(0.5f)};
  Texture texture = FromPicture(photo.rgb.data(), photo.width, photo.height, int(rect.width * density),
                                int(rect.height * density), crop);
  AddMipLevels(texture);
  b.Add(PlacePlane(b, std::move(texture), rect, 1));
}

}  // namespace mvd::synth
