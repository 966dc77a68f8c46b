#include "mvd/data/scene_builder.h"

namespace mvd::synth {

Builder::Builder(const SynthOptions& given, uint64_t index) : options(given), random(given.seed, index) {
  scene.width = int(given.width), scene.height = int(given.height), scene.frames = int(given.frames);
  aspect = double(given.width) / double(given.height);
  camera.resize(size_t(given.frames));
  // From nearly still to most of the frame's height in a clip of two seconds.
  pace = random.LogRange(0.012f, 0.4f);
  if (given.pace > 0) pace = given.pace;
}

Swing::Swing(Stream& random, double speed, double limit, double duration)
    : amplitude_(std::min(std::max(0.8 * std::abs(speed) * duration, 1e-6), limit)),
      rate_(speed / amplitude_ / 6.283185307),
      phase_(random.Range(-0.12f, 0.12f)) {}

double Swing::At(double seconds) const { return amplitude_ * (Sin(phase_ + rate_ * seconds) - Sin(phase_)); }

void ChooseCamera(Builder& b, const CameraStyle& style) {
  Stream& r = b.random;
  const double turn = r.Uniform(), speed = b.pace, seconds = b.Duration();
  const Swing x(r, speed * style.pan_x * r.Signed(0.5f, 1), 0.6, seconds);
  const Swing y(r, speed * style.pan_y * Sin(turn), 0.3, seconds);
  const Swing zoom(r, speed * style.zoom * r.Signed(0.3f, 1), 0.35, seconds);
  const Swing roll(r, speed * style.roll * r.Sign(), 0.04 + style.roll * 0.2, seconds);
  const double start_roll = style.roll * r.Range(-0.06f, 0.06f);
  // A hand that is not quite still.
  const bool hand = r.Chance(0.35f);
  const double shake = hand ? 0.004 * r.Range(0.3f, 1) * std::min(b.pace * 6, 1.0) : 0;
  const double beat_x = r.Range(0.7f, 2), beat_y = r.Range(0.7f, 2);
  for (int t = 0; t < b.Frames(); ++t) {
    const double s = b.Seconds(t);
    b.camera[size_t(t)] = {x.At(s) + shake * Sin(beat_x * s), y.At(s) + shake * Sin(beat_y * s),
                           Exp2(zoom.At(s)), start_roll + roll.At(s)};
  }
}

void GoForward(Builder& b) {
  // The mean distance from the middle, in frame heights: by it zooming moves pixels as far as panning.
  const double lever = 0.14 + 0.23 * b.aspect;
  // Never nearer than 2.7 times, where a photograph has no more pixels to show.
  const double duration = b.Duration(), nearer = 1 - std::exp(-b.pace * duration / lever);
  for (int t = 0; t < b.Frames(); ++t) b.camera[size_t(t)].zoom = std::exp(nearer * b.Seconds(t) / duration);
}

Mat3 View(const Builder& b, int frame, double depth) {
  const CameraFrame& c = b.camera[size_t(frame)];
  const double near = 1 / depth, zoom = (1 + (c.zoom - 1) * (0.3 + 0.7 * near)) * double(b.scene.height);
  return Mat3::Shift(b.scene.width * 0.5, b.scene.height * 0.5) * Mat3::Turn(c.roll) *
         Mat3::Scale(zoom, zoom) * Mat3::Shift(-c.x * near, -c.y * near);
}

Rect Cover(const Builder& b, double depth, const Placement& placement) {
  double x0 = 1e9, y0 = 1e9, x1 = -1e9, y1 = -1e9;
  for (int t = 0; t < b.Frames(); ++t) {
    const Mat3 view = View(b, t, depth);
    const Mat3 back = (placement.empty() ? view : view * placement[size_t(t)]).Inverse();
    for (int corner = 0; corner < 4; ++corner) {
      const auto [x, y] = back((corner & 1) * b.scene.width, (corner >> 1) * b.scene.height);
      x0 = std::min(x0, x), x1 = std::max(x1, x), y0 = std::min(y0, y), y1 = std::max(y1, y);
    }
  }
  const double margin = 2.0 / b.scene.height;
  return {x0 - margin, y0 - margin, x1 - x0 + 2 * margin, y1 - y0 + 2 * margin};
}

double Density(const Builder& b, double depth) {
  double zoom = 0;
  for (int t = 0; t < b.Frames(); ++t) {
    const auto& m = View(b, t, depth).m;
    zoom = std::max(zoom, std::sqrt(std::abs(m[0] * m[4] - m[1] * m[3])));
  }
  return std::min(zoom, 1.35 * b.scene.height);
}

Plane PlacePlane(const Builder& b, Texture texture, const Rect& rect, double depth,
                 const Placement& placement) {
  Plane plane;
  const Mat3 own =
      Mat3::Shift(rect.x, rect.y) * Mat3::Scale(rect.width / texture.width, rect.height / texture.height);
  for (int t = 0; t < b.Frames(); ++t) {
    const Mat3 world = placement.empty() ? own : placement[size_t(t)] * own;
    plane.to_pixel.push_back(View(b, t, depth) * world);
    plane.to_texel.push_back(plane.to_pixel.back().Inverse());
  }
  plane.texture = std::move(texture);
  return plane;
}

Texture PaintTexture(double density, const Rect& rect, const std::function<V4(float x, float y)>& paint) {
  Texture texture(std::max(int(rect.width * density + 0.999), 2),
                  std::max(int(rect.height * density + 0.999), 2));
  for (int y = 0; y < texture.height; ++y) {
    const float wy = float(rect.y + rect.height * (y + 0.5) / texture.height);
    for (int x = 0; x < texture.width; ++x) {
      texture.At(x, y) = paint(float(rect.x + rect.width * (x + 0.5) / texture.width), wy);
    }
  }
  return texture;
}

Texture RandomMaterial(Builder& b, int size, int cells, int more) {
  const Material material = Material(b.random.Int(kMaterials));
  const int across = cells + b.random.Int(more);
  const float hue = b.random.Uniform();
  return MakeMaterial(material, size, across, hue, b.random);
}

Placement BouncePath(Builder& b, double radius, double speed, double turn_speed, double outside) {
  Stream& r = b.random;
  const double limit_x = std::max(b.HalfWidth() + outside - radius, 0.05),
               limit_y = std::max(0.5 + outside - radius, 0.05);
  const double turn = r.Uniform(), vx = speed * Cos(turn), vy = speed * Sin(turn);
  const double x0 = r.Range(-1, 1) * limit_x, y0 = r.Range(-1, 1) * limit_y, angle = r.Uniform();
  // Reflection at both walls is a triangle wave.
  const auto bounce = [](double x, double limit) {
    double u = (x + limit) / (4 * limit);
    u -= Floor(u);
    return limit * (u < 0.5 ? 4 * u - 1 : 3 - 4 * u);
  };
  Placement path;
  for (int t = 0; t < b.Frames(); ++t) {
    const double s = b.Seconds(t);
    path.push_back(Mat3::Shift(bounce(x0 + vx * s, limit_x), bounce(y0 + vy * s, limit_y)) *
                   Mat3::Turn(angle + turn_speed * s));
  }
  return path;
}

Rotation TurnAbout(std::array<float, 3> axis, double turns, const Rotation& first) {
  const float length = std::sqrt(axis[0] * axis[0] + axis[1] * axis[1] + axis[2] * axis[2]);
  for (float& x : axis) x /= length;
  const float c = Cos(turns), s = Sin(turns), k = 1 - c;
  const auto [x, y, z] = axis;
  const Rotation turn = {c + x * x * k,     x * y * k - z * s, x * z * k + y * s,
                         y * x * k + z * s, c + y * y * k,     y * z * k - x * s,
                         z * x * k - y * s, z * y * k + x * s, c + z * z * k};
  Rotation product{};
  for (size_t i = 0; i < 3; ++i) {
    for (size_t j = 0; j < 3; ++j) {
      for (size_t l = 0; l < 3; ++l) product[i * 3 + j] += turn[i * 3 + l] * first[l * 3 + j];
    }
  }
  return product;
}

void AddSolid(Builder& b, bool ball, const SolidPath& path, double spin, double depth) {
  Stream& r = b.random;
  Solid solid;
  solid.ball = ball;
  double largest = 0;
  for (double radius : path.radius) largest = std::max(largest, radius);
  const double pixels = largest * Density(b, depth);
  const int size = pixels > 70 ? 256 : pixels > 26 ? 128 : 64;
  solid.texture = RandomMaterial(b, size, 4, 6);
  solid.light = b.look.light;
  solid.gloss = r.Range(0.05f, 0.7f);
  if (!ball) {
    for (float& h : solid.half_size) h = r.Range(0.4f, 0.75f);
  }
  const std::array<float, 3> axis = {r.Range(-1, 1), r.Range(-1, 1), r.Range(-0.6f, 0.6f) + 0.01f};
  const std::array<float, 3> first_axis = {r.Range(-1, 1), r.Range(-1, 1), r.Range(-1, 1) + 0.01f};
  const Rotation first = TurnAbout(first_axis, r.Uniform(), {1, 0, 0, 0, 1, 0, 0, 0, 1});
  for (int t = 0; t < b.Frames(); ++t) {
    const Mat3 view = View(b, t, depth);
    const auto [x, y] = view(path.center[size_t(t)][0], path.center[size_t(t)][1]);
    const double zoom = std::sqrt(view.m[0] * view.m[4] - view.m[1] * view.m[3]);
    solid.center.push_back({float(x), float(y)});
    solid.radius.push_back(float(path.radius[size_t(t)] * zoom));
    solid.rotation.push_back(TurnAbout(axis, spin * b.Seconds(t), first));
  }
  b.Add(std::move(solid));
}

}  // namespace mvd::synth
