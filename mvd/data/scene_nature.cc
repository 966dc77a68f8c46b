// Scenes out of doors.
#include "mvd/data/scene_kinds.h"

namespace mvd::synth {
namespace {

float Sway(const Builder& b) { return std::min(0.01f + 0.25f * float(b.pace), 0.09f); }

Texture MakeRipples(Builder& b) {
  constexpr int kSize = 256;
  const Map height = FractalNoise(kSize, kSize, {}, {6, 10, 5, 0.55, b.random.Bits(), true});
  Texture texture(kSize, kSize);
  texture.repeat = true;
  for (int y = 0; y < kSize; ++y) {
    for (int x = 0; x < kSize; ++x) {
      const float here = height.At(x, y), right = height.At((x + 1) % kSize, y),
                  below = height.At(x, (y + 1) % kSize);
      texture.At(x, y) = V4{(right - here) * 3, (below - here) * 3, here, 0};
    }
  }
  AddMipLevels(texture);
  return texture;
}

Texture MakeNoise(Builder& b, int size, double frequency) {
  const Map a = FractalNoise(size, size, {}, {frequency, frequency * 0.75, 5, 0.55, b.random.Bits(), true});
  const Map c = FractalNoise(size, size, {}, {frequency, frequency, 4, 0.5, b.random.Bits(), true});
  Texture texture(size, size);
  texture.repeat = true;
  for (int y = 0; y < size; ++y) {
    for (int x = 0; x < size; ++x) texture.At(x, y) = V4{a.At(x, y), c.At(x, y), 0, 0};
  }
  return texture;
}

// In world units; (x, y) is the foot.
struct PlumePlace {
  double x, y, height, depth;
};

Plume MakePlume(Builder& b, bool fire, const PlumePlace& place) {
  const auto [x, y, height, depth] = place;
  Stream& r = b.random;
  Plume plume;
  plume.fire = fire;
  plume.noise = MakeNoise(b, 128, 4);
  plume.width = fire ? r.Range(0.22f, 0.4f) : r.Range(0.1f, 0.17f);
  const double speed = (0.15 + 1.2 * std::min(b.pace, 1.0)) / height;  // heights a second
  const double gust = r.Range(0.1f, 0.6f), phase = r.Uniform();
  const float lean = fire ? r.Range(-0.1f, 0.1f) : r.Range(-0.8f, 0.8f), swing = fire ? 0.06f : 0.15f;
  for (int t = 0; t < b.Frames(); ++t) {
    const Mat3 view = View(b, t, depth);
    const auto [px, py] = view(x, y);
    const double zoom = std::sqrt(view.m[0] * view.m[4] - view.m[1] * view.m[3]), s = b.Seconds(t);
    plume.foot.push_back({float(px), float(py)});
    plume.scale.push_back(float(height * zoom));
    plume.rise.push_back(float(speed * s * 128 + 31));
    plume.rise2.push_back(float(1.6 * speed * s * 128));
    plume.drift.push_back(lean + swing * Sin(gust * s + phase));
  }
  return plume;
}

}  // namespace

void BuildHills(Builder& b) {
  ChooseLook(b);
  ChooseCamera(b, {1, 0.2f, 0.3f, 0.04f});
  AddSky(b);
  if (b.look.night) AddStars(b, 1);
  AddClouds(b, {b.random.Range(0.05f, 0.75f), float(b.pace * b.random.Range(-0.3f, 0.3f)), 9, 0.12f});
  AddRange(b, {3 + b.random.Int(3), b.random.Range(-0.12f, 0.05f), b.random.Range(0.28f, 0.42f)});
}

void BuildSea(Builder& b) {
  Stream& r = b.random;
  ChooseLook(b);
  ChooseCamera(b, {0.7f, 0.1f, 0.15f, 0.03f});
  AddSky(b);
  if (b.look.night) AddStars(b, 0.8f);
  AddClouds(b, {r.Range(0.1f, 0.8f), float(b.pace * r.Range(-0.25f, 0.25f)), 9, 0.08f});
  const double line = r.Range(-0.06f, 0.1f);
  if (r.Chance(0.75f)) AddRange(b, {1 + r.Int(2), float(line) - 0.08f, float(line) - 0.01f});
  Water water;
  water.ripples = MakeRipples(b);
  water.roughness = r.Range(0.4f, 1.3f);
  water.color =
      FromHsv({r.Range(0.45f, 0.62f), r.Range(0.4f, 0.8f), b.look.night ? 0.12f : r.Range(0.2f, 0.45f)});
  water.glint = b.look.sun * Splat(b.look.night ? 0.5f : 0.9f);
  const double eye = r.Range(0.08f, 0.25f), speed_x = b.pace * r.Range(-0.3f, 0.3f),
               speed_z = b.pace * r.Range(-0.2f, 0.5f);
  const double texels = 256 / r.Range(0.5f, 0.9f), churn = 20 + 60 * std::min(b.pace, 1.0);
  for (int t = 0; t < b.Frames(); ++t) {
    const CameraFrame& c = b.camera[size_t(t)];
    const Mat3 view = View(b, t, 12);
    const auto [hx, hy] = view(c.x / 12, line);
    const double s = b.Seconds(t), h = b.scene.height, slope = Sin(c.roll) / Cos(c.roll);
    water.horizon.push_back(float(hy + slope * (b.scene.width * 0.5 - hx)));
    water.horizon_slope.push_back(float(slope));
    water.sun_x.push_back(float(view(b.look.sun_x, line)[0]));
    const Mat3 ray =
        Mat3::Turn(-c.roll) * Mat3::Scale(1 / (h * c.zoom), 1 / (h * c.zoom)) * Mat3::Shift(-hx, -hy);
    const Mat3 ground{{eye, 0, 0, 0, 0, eye, 0, 1, 0}};
    water.to_texel.push_back(Mat3::Scale(texels, -texels) * Mat3::Shift(c.x + speed_x * s, speed_z * s) *
                             ground * ray);
    water.to_pixel.push_back(water.to_texel.back().Inverse());
    water.second_drift.push_back({float(churn * s), float(-0.6 * churn * s)});
  }
  b.Add(std::move(water));
}

void BuildMeadow(Builder& b) {
  Stream& r = b.random;
  ChooseLook(b, r.Int(kNight));
  ChooseCamera(b, {0.7f, 0.15f, 0.25f, 0.03f});
  AddSky(b);
  AddClouds(b, {r.Range(0.1f, 0.7f), float(b.pace * r.Range(-0.3f, 0.3f)), 9, 0.12f});
  AddRange(b, {2 + r.Int(2), r.Range(-0.05f, 0.02f), r.Range(0.12f, 0.2f)});
  const int trees = 3 + r.Int(5);
  const float sway = Sway(b);
  for (int i = 0; i < trees; ++i) {
    const float near = float(i + 1) / float(trees);
    AddTree(b, {r.Range(-0.95f, 0.95f) * b.HalfWidth(), 0.22f + 0.18f * near,
                Mix(0.3f, 0.75f, near * near) * r.Range(0.8f, 1.2f), Mix(2.6f, 1.2f, near), sway});
  }
  const float hue = r.Range(0.17f, 0.33f);
  AddGrass(b, {.top = 0.34, .depth = 1.2, .sway = sway, .hue = hue, .tall = r.Range(0.1f, 0.2f)});
  AddGrass(b, {.top = 0.44, .depth = 0.95, .sway = sway * 1.3f, .hue = hue, .tall = r.Range(0.1f, 0.2f)});
}

void BuildClouds(Builder& b) {
  Stream& r = b.random;
  ChooseLook(b);
  ChooseCamera(b, {0.5f, 0.3f, 0.5f, 0.1f});
  AddSky(b);
  if (b.look.night) AddStars(b, 1);
  const int layers = 2 + r.Int(2);
  const float direction = r.Sign();
  for (int i = 0; i < layers; ++i) {
    AddClouds(
        b, {r.Range(0.3f, 0.8f), direction * float(b.pace) * (0.3f + 0.5f * float(i)), 4.0 / (i + 1), 0.9f});
  }
  if (r.Chance(0.5f)) AddRange(b, {2, 0.28f, 0.4f});
}

void BuildSnow(Builder& b) {
  Stream& r = b.random;
  constexpr int kGrey[] = {kDusk, kOvercast, kNight, kDay};
  ChooseLook(b, kGrey[r.Int(4)]);
  ChooseCamera(b, {0.6f, 0.15f, 0.2f, 0.04f});
  if (!b.options.photos.empty() && r.Chance(0.4f)) {
    AddPhoto(b);
  } else {
    AddSky(b);
    AddRange(b, {3, -0.05f, 0.3f});
  }
  const double fall = 0.1 + 0.8 * std::min(b.pace, 1.2), wind = b.pace * r.Range(-0.6f, 0.6f);
  const V4 color = FromScreen(0.95f, 0.96f, 1) * Splat(b.look.night ? 0.5f : 0.95f);
  for (int i = 0; i < 3; ++i) {
    const float near = 0.4f + 0.5f * float(i);
    AddFlakes(b, {.radius = 0.006f * near * r.Range(0.8f, 1.6f),
                  .count = 60 - 16 * i,
                  .speed = fall * near,
                  .drift = wind * near,
                  .depth = 1 / near,
                  .color = color});
  }
}

void BuildFire(Builder& b) {
  Stream& r = b.random;
  ChooseLook(b, r.Chance(0.7f) ? kNight : kDusk);
  b.look.light.ambient = FromScreen(0.45f, 0.3f, 0.22f) * Splat(1.4f);
  ChooseCamera(b, {0.3f, 0.1f, 0.2f, 0.02f});
  AddSky(b);
  AddStars(b, 0.6f);
  AddRange(b, {2, 0.05f, 0.24f});
  Texture stones = MakeMaterial(Material::kStone, 256, 8, r.Range(0.02f, 0.1f), r);
  for (Texel& texel : stones.texels) texel.v = Opaque(texel.v * FromScreen(0.42f, 0.3f, 0.24f));
  AddMipLevels(stones);
  AddGround(b, std::move(stones), {0.2, 0.12, 0.8, 0, 0});
  const int fires = 1 + r.Int(3);
  for (int i = 0; i < fires; ++i) {
    const double x = r.Range(-0.6f, 0.6f) * b.HalfWidth(), foot = r.Range(0.3f, 0.42f);
    b.Add(MakePlume(b, true, {x, foot, r.Range(0.4f, 0.8f), 1}));
  }
  const double rise = 0.2 + 0.8 * std::min(b.pace, 1.2);
  AddFlakes(b, {.radius = 0.004f,
                .count = 9,
                .speed = -rise,
                .drift = b.pace * 0.3,
                .depth = 1.1,
                .color = FromScreen(1, 0.75f, 0.35f),
                .glow = true});
}

void BuildSmoke(Builder& b) {
  Stream& r = b.random;
  ChooseLook(b, r.Int(kNight));
  ChooseCamera(b, {0.4f, 0.1f, 0.2f, 0.03f});
  AddSky(b);
  AddClouds(b, {0.3f, float(b.pace) * 0.2f, 9, 0.1f});
  AddRange(b, {3, 0, 0.33f});
  const int plumes = 1 + r.Int(3);
  for (int i = 0; i < plumes; ++i) {
    Plume plume = MakePlume(
        b, false, {r.Range(-0.7f, 0.7f) * b.HalfWidth(), r.Range(0.2f, 0.42f), r.Range(0.5f, 1.0f), 1.4});
    plume.color = Mix(b.look.horizon, Splat(r.Chance(0.5f) ? 0.75f : 0.08f), 0.7f);
    plume.density = r.Range(0.75f, 1.0f);
    b.Add(std::move(plume));
  }
}

}  // namespace mvd::synth
