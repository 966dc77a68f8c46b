// Scenes of things: balls, boxes, cut-outs, flags, towns, planets, photographs.
#include "mvd/data/scene_kinds.h"

namespace mvd::synth {
namespace {

// Still, bouncing or drifting: world positions of a ball on a floor.
SolidPath FloorBounce(Builder& b, double radius, double floor) {
  Stream& r = b.random;
  const Placement across = BouncePath(b, radius, b.pace * r.Range(0.3f, 1), 0);
  const double height = r.Range(0.1f, 0.7f) * std::min(1.0, 0.25 + b.pace), phase = r.Uniform();
  const double rate = std::min(b.pace * r.Range(0.7f, 1.4f) / std::max(height, 0.05) / 2, 1.4);
  SolidPath path;
  for (int t = 0; t < b.Frames(); ++t) {
    double u = phase + rate * b.Seconds(t);
    u -= Floor(u);
    const double y = floor - radius - height * 4 * u * (1 - u);
    path.center.push_back({across[size_t(t)].m[2], y});
    path.radius.push_back(radius);
  }
  return path;
}

void AddShadow(Builder& b, const SolidPath& path, double floor) {
  Placement placement;
  double radius = path.radius[0];
  for (int t = 0; t < b.Frames(); ++t) {
    const double rise = std::max(floor - path.radius[size_t(t)] - path.center[size_t(t)][1], 0.0);
    placement.push_back(
        Mat3::Shift(path.center[size_t(t)][0] - b.look.light.direction[0] * rise * 0.6, floor) *
        Mat3::Scale(1.1 + 0.6 * rise, 0.3));
  }
  const Rect rect{-radius, -radius, 2 * radius, 2 * radius};
  b.Add(PlacePlane(b, MakeShadow(radius * Density(b, 1)), rect, 1, placement));
}

struct FreeStyle {
  double radius, speed;
  double swell;  // share by which the size comes and goes
};

SolidPath FreePath(Builder& b, const FreeStyle& style) {
  const auto [radius, speed, swell] = style;
  Stream& r = b.random;
  const Placement path = BouncePath(b, radius, speed, 0, 0.1);
  const double rate = std::min(b.pace, 1.0) * r.Range(0.2f, 0.6f), phase = r.Uniform();
  SolidPath solid;
  for (int t = 0; t < b.Frames(); ++t) {
    const Mat3& m = path[size_t(t)];
    solid.center.push_back({m.m[2], m.m[5]});
    solid.radius.push_back(radius * (1 + swell * Sin(rate * b.Seconds(t) + phase)));
  }
  return solid;
}

void AddShapes(Builder& b, int count, double depth, float smallest, float largest) {
  Stream& r = b.random;
  for (int i = 0; i < count; ++i) {
    const double radius = r.LogRange(smallest, largest), speed = b.pace * r.Range(0.2f, 1.2f);
    const double density = Density(b, depth), turn = r.Range(-0.8f, 0.8f) * std::min(b.pace, 1.0);
    Texture material = RandomMaterial(b, radius * density > 40 ? 128 : 64, 2, 6);
    Texture cut = MakeCutOut(b, Shape(r.Int(kShapes)), radius * density, std::move(material));
    const Placement path = BouncePath(b, radius, speed, turn, 0.1);
    Placement below;
    for (const Mat3& place : path) {
      below.push_back(
          Mat3::Shift(place.m[2] - 0.25 * radius * b.look.light.direction[0], place.m[5] + 0.2 * radius));
    }
    const Rect shadow{-1.15 * radius, -1.15 * radius, 2.3 * radius, 2.3 * radius};
    b.Add(PlacePlane(b, MakeShadow(1.15 * radius * density), shadow, depth, below));
    const double half = cut.width / (2 * density);
    b.Add(PlacePlane(b, std::move(cut), {-half, -half, 2 * half, 2 * half}, depth, path));
  }
}

V4 FlagColor(int design, float u, float v, const V4* c) {
  const float cross = std::min(std::abs(u - 0.38f) * 1.5f, std::abs(v - 0.5f));
  const float disc = std::sqrt((u - 0.5f) * (u - 0.5f) * 2.25f + (v - 0.5f) * (v - 0.5f));
  switch (design) {
    case 0:
      return v < 1.0f / 3 ? c[0] : v < 2.0f / 3 ? c[1] : c[2];
    case 1:
      return u < 1.0f / 3 ? c[0] : u < 2.0f / 3 ? c[1] : c[2];
    case 2:
      return disc < 0.28f ? c[1] : c[0];
    case 3:
      return cross < 0.08f ? c[1] : c[0];
    case 4:
      return u < 0.4f && v < 0.5f ? c[2] : FloorInt(v * 9) % 2 ? c[1] : c[0];
    default:
      return u * 0.66f < 0.5f - std::abs(v - 0.5f) ? c[2] : v < 0.5f ? c[0] : c[1];
  }
}

}  // namespace

void BuildBalls(Builder& b) {
  Stream& r = b.random;
  ChooseLook(b, r.Int(kDusk));
  ChooseCamera(b, {0.35f, 0.1f, 0.2f, 0.02f});
  const double horizon = r.Range(-0.12f, 0.08f);
  AddSky(b);
  if (r.Chance(0.5f)) AddClouds(b, {0.4f, 0.1f * float(b.pace), 9, float(horizon) + 0.02f});
  Texture floor = RandomMaterial(b, 256, 4, 6);
  const V4 light = b.look.light.ambient + b.look.light.color * Splat(0.5f);
  for (Texel& texel : floor.texels) texel.v = Opaque(texel.v * light);
  AddMipLevels(floor);
  AddGround(b, std::move(floor), {horizon, r.Range(0.2f, 0.5f), r.Range(0.6f, 1.6f), 0, 0});
  const int balls = 2 + r.Int(4);
  std::vector<std::pair<double, SolidPath>> paths;
  for (int i = 0; i < balls; ++i) {
    const double ground = horizon + (0.5 - horizon) * (0.45 + 0.5 * (i + 1) / balls);
    paths.emplace_back(
        ground,
        FloorBounce(b, r.Range(0.09f, 0.24f) * (0.5 + 0.5 * (ground - horizon) / (0.5 - horizon)), ground));
  }
  for (const auto& [ground, path] : paths) AddShadow(b, path, ground);
  for (const auto& [ground, path] : paths)
    AddSolid(b, true, path, r.Range(-1, 1) * std::min(b.pace * 1.2, 1.0));
}

void BuildBoxes(Builder& b) {
  Stream& r = b.random;
  ChooseLook(b, r.Int(kDusk));
  ChooseCamera(b, {0.4f, 0.2f, 0.3f, 0.08f});
  AddBackdrop(b);
  const int count = 2 + r.Int(4);
  for (int i = 0; i < count; ++i) {
    const SolidPath path = FreePath(b, {r.Range(0.14f, 0.32f), b.pace * r.Range(0.2f, 1), 0.3});
    const bool ball = r.Chance(0.2f);
    AddSolid(b, ball, path, r.Signed(0.2f, 1) * std::min(b.pace, 1.0));
  }
}

void BuildShapes(Builder& b) {
  ChooseLook(b, b.random.Int(kDusk));
  ChooseCamera(b, {0.4f, 0.3f, 0.3f, 0.12f});
  AddBackdrop(b);
  AddShapes(b, 3 + b.random.Int(6), 1, 0.09f, 0.32f);
}

void BuildFlight(Builder& b) {
  Stream& r = b.random;
  ChooseLook(b);
  ChooseCamera(b, {0.3f, 0.1f, 0.1f, 0.15f});
  AddSky(b);
  const double horizon = r.Range(-0.25f, 0.05f);
  AddClouds(b, {r.Range(0.2f, 0.7f), float(b.pace) * 0.1f, 9, float(horizon) + 0.03f});
  if (r.Chance(0.6f)) AddRange(b, {2, float(horizon) - 0.06f, float(horizon) - 0.01f});
  Texture ground = RandomMaterial(b, 512, 6, 6);
  const V4 light = b.look.light.ambient + b.look.light.color * Splat(0.5f);
  for (Texel& texel : ground.texels) texel.v = Opaque(texel.v * light);
  AddMipLevels(ground);
  AddGround(b, std::move(ground),
            {horizon, r.Range(0.1f, 0.35f), r.Range(0.8f, 2), b.pace * r.Range(-0.4f, 0.4f),
             b.pace * r.Range(0.6f, 1.2f)});
}

void BuildFlag(Builder& b) {
  Stream& r = b.random;
  ChooseLook(b, r.Int(kDusk));
  ChooseCamera(b, {0.25f, 0.15f, 0.2f, 0.03f});
  AddSky(b);
  AddClouds(b, {r.Range(0.1f, 0.7f), float(b.pace) * 0.3f, 9, 0.3f});
  AddRange(b, {2, 0.25f, 0.4f});
  const double height = r.Range(0.4f, 0.62f), length = height * r.Range(1.3f, 1.7f),
               left = -0.5 * length + r.Range(-0.2f, 0.2f), top = -0.36;
  const double density = Density(b, 1), room = 0.2 * height;
  const V4 colors[3] = {FromHsv({r.Uniform(), 0.8f, r.Range(0.4f, 0.9f)}),
                        FromHsv({r.Uniform(), r.Range(0, 0.5f), 0.97f}),
                        FromHsv({r.Uniform(), 0.85f, r.Range(0.35f, 0.85f)})};
  const int design = r.Int(6);
  const Rect rect{left, top - room, length + 0.02, height + 2 * room};
  const float soft = float(density);
  Texture cloth = PaintTexture(density, rect, [&](float x, float y) {
    const float u = (x - float(left)) / float(length), v = (y - float(top)) / float(height);
    V4 color = Splat(0);  // four samples a texel: the pattern has hard edges
    for (int k = 0; k < 4; ++k) {
      const float du = (k & 1 ? 0.25f : -0.25f) / (soft * float(length)),
                  dv = (k & 2 ? 0.25f : -0.25f) / (soft * float(height));
      color += FlagColor(design, u + du, v + dv, colors) * Splat(0.25f);
    }
    const float edge = std::min(std::min(u, 1 - u) * float(length), std::min(v, 1 - v) * float(height));
    return Paint(color * (b.look.light.ambient + b.look.light.color * Splat(0.55f)),
                 Clamp01(edge * soft + 0.5f));
  });
  const Rect pole{left - 0.03, top - 0.08, 0.03, 1.4};
  Texture rod = PaintTexture(density, pole, [&](float x, float) {
    const float across = (x - float(left - 0.015)) / 0.012f;
    return Paint(Mix(Splat(0.6f), Splat(0.12f), Clamp01(0.5f + 0.5f * across)),
                 Clamp01((1 - std::abs(across)) * 0.012f * soft + 0.5f));
  });
  b.Add(PlacePlane(b, std::move(rod), pole, 1));
  Plane flag = PlacePlane(b, std::move(cloth), rect, 1);
  flag.bend.along_x = false;
  const double waves = r.Range(0.9f, 1.8f), rate = std::min(0.1 + 2.2 * b.pace, 2.2), phase = r.Uniform();
  const float swell = float(room * density) * 0.7f;
  for (int t = 0; t < b.Frames(); ++t) {
    std::vector<float> offsets(static_cast<size_t>(flag.texture.width)), gains(offsets.size());
    for (size_t i = 0; i < offsets.size(); ++i) {
      const float u = float(i) / float(offsets.size()), grow = std::min(u * 1.6f, 1.0f);
      const double turn = waves * u - rate * b.Seconds(t) + phase;
      offsets[i] = swell * grow * Sin(turn);
      gains[i] = 1 + 0.3f * grow * Cos(turn);
    }
    flag.bend.offsets.push_back(std::move(offsets));
    flag.gains.push_back(std::move(gains));
  }
  b.Add(std::move(flag));
}

void BuildCloseup(Builder& b) {
  Stream& r = b.random;
  ChooseLook(b, kDay);
  ChooseCamera(b, {0.8f, 0.6f, 0.7f, 0.5f});
  const Rect rect = Cover(b, 1);
  Texture material = RandomMaterial(b, 512, 3, 8);
  const double size = r.Range(0.9f, 1.8f);
  Texture sheet = std::move(material);
  Placement still(size_t(b.Frames()), Mat3::Turn(r.Range(-0.1f, 0.1f)));
  b.Add(PlacePlane(b, std::move(sheet), {rect.x, rect.y, size, size}, 1, still));
}

void BuildPlanet(Builder& b) {
  Stream& r = b.random;
  ChooseLook(b, kNight);
  b.look.zenith = FromHsv({r.Uniform(), 0.6f, 0.06f}),
  b.look.horizon = FromHsv({r.Uniform(), 0.6f, r.Range(0.1f, 0.3f)});
  const float angle = r.Range(-0.2f, 0.2f);
  b.look.light = {{Sin(angle + 0.25) * r.Sign() * 0.85f, -0.3f, 0.42f},
                  FromScreen(1, 0.97f, 0.9f) * Splat(1.2f),
                  Splat(0.035f)};
  ChooseCamera(b, {0.5f, 0.3f, 0.4f, 0.15f});
  AddSky(b);
  b.scene.elements.resize(1);  // no sun in the picture
  AddStars(b, 1.6f);
  const double big = r.Range(0.25f, 0.55f), x = r.Range(-0.4f, 0.4f) * b.HalfWidth(),
               y = r.Range(-0.15f, 0.2f);
  SolidPath planet;
  planet.center.assign(size_t(b.Frames()), {x, y});
  planet.radius.assign(size_t(b.Frames()), big);
  const int moons = 1 + r.Int(3);
  std::vector<std::pair<bool, SolidPath>> orbits;  // in front of the planet or behind
  for (int i = 0; i < moons; ++i) {
    const double away = big * r.Range(1.2f, 1.9f), phase = r.Uniform(),
                 rate = b.pace / (6.28 * away) * r.Range(0.5f, 1.5f);
    const double tilt = r.Range(-0.3f, 0.3f), radius = r.Range(0.03f, 0.1f);
    SolidPath moon;
    for (int t = 0; t < b.Frames(); ++t) {
      const double c = Cos(phase + rate * b.Seconds(t)), s = Sin(phase + rate * b.Seconds(t));
      moon.center.push_back({x + away * (c - tilt * 0.3 * s), y + away * (0.3 * s + tilt * c)});
      moon.radius.push_back(radius * (1 + 0.25 * s));
    }
    orbits.emplace_back(Sin(phase + rate * b.Duration() / 2) > 0, std::move(moon));
  }
  const double spin = r.Signed(0.5f, 1.2f) * b.pace / (6.28 * big);
  for (const auto& [front, moon] : orbits) {
    if (!front) AddSolid(b, true, moon, spin, 2);
  }
  AddSolid(b, true, planet, spin, 2);
  std::get<Solid>(b.scene.elements.back()).gloss = 0.05f;
  for (const auto& [front, moon] : orbits) {
    if (front) AddSolid(b, true, moon, spin, 2);
  }
}

void BuildPhoto(Builder& b) {
  ChooseLook(b, kDay);
  GoForward(b);
  AddPhoto(b);
}

void BuildPhotoShapes(Builder& b) {
  Stream& r = b.random;
  ChooseLook(b, r.Int(kDusk));
  ChooseCamera(b, {0.4f, 0.2f, 0.3f, 0.06f});
  AddPhoto(b);
  if (r.Chance(0.5f)) return AddShapes(b, 2 + r.Int(4), 1, 0.09f, 0.25f);
  const int count = 1 + r.Int(3);
  for (int i = 0; i < count; ++i) {
    const SolidPath path = FreePath(b, {r.Range(0.1f, 0.25f), b.pace * r.Range(0.3f, 1.2f), 0.3});
    const bool ball = r.Chance(0.6f);
    AddSolid(b, ball, path, r.Signed(0.2f, 1) * std::min(b.pace, 1.0));
  }
}

}  // namespace mvd::synth
