// Tools to compose scenes: the camera's path, planes in parallax, skies, hills, cut-outs, balls and boxes.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "mvd/data/scene_layer.h"
#include "mvd/data/synth.h"

namespace mvd::synth {

// World units are frame heights; the frame's middle is (0,0), x to the right, y down. Depth 1 is where camera
// motion counts in full; at depth d it counts 1/d.
struct CameraFrame {
  double x = 0, y = 0, zoom = 1, roll = 0;  // roll in turns
};

// Colours of the air and the light, screen-like in linear light.
struct Look {
  V4 zenith, horizon, sun, ground;
  float sun_x = 0, sun_y = -0.3f;  // world
  bool night = false;
  Light light;
};

struct Builder {
  const SynthOptions& options;
  Stream random;
  Scene scene;
  double aspect = 2;
  double pace = 0.2;  // frame heights a second
  std::vector<CameraFrame> camera;
  Look look;

  Builder(const SynthOptions& given, uint64_t index);
  int Frames() const { return scene.frames; }
  double Seconds(int frame) const { return frame / options.fps; }
  double Duration() const { return Seconds(Frames() - 1); }
  double HalfWidth() const { return aspect / 2; }
  void Add(Element element) { scene.elements.push_back(std::move(element)); }
};

using Placement = std::vector<Mat3>;  // one a frame: from a thing's own units to world units

// A path that starts at 0 with about `speed` units a second and never leaves [-limit, limit]: nearly straight
// while it is short, swinging back where it would lead too far.
class Swing {
 public:
  Swing(Stream& random, double speed, double limit, double duration);
  double At(double seconds) const;

 private:
  double amplitude_, rate_, phase_;
};

// How strongly the camera moves in each way, times the pace.
struct CameraStyle {
  float pan_x = 1, pan_y = 0.25f, zoom = 0.3f, roll = 0.05f;
};
void ChooseCamera(Builder& b, const CameraStyle& style);
// Straight towards the middle at an even pace: what it shows, and how fast, says all of the motion.
void GoForward(Builder& b);
// World at this depth -> pixels.
Mat3 View(const Builder& b, int frame, double depth);
// The part of a plane (own units) that any frame shows, with a margin. An empty placement stands still.
Rect Cover(const Builder& b, double depth, const Placement& placement = {});
// Texels a world unit for planes at this depth.
double Density(const Builder& b, double depth);
// A plane whose texture fills `rect` in its own units.
Plane PlacePlane(const Builder& b, Texture texture, const Rect& rect, double depth,
                 const Placement& placement = {});
// A texture for `rect` at the density of its depth, painted by `paint(x, y)` in own units, one texel each.
Texture PaintTexture(double density, const Rect& rect, const std::function<V4(float x, float y)>& paint);

void ChooseLook(Builder& b);          // any time of day
void ChooseLook(Builder& b, int at);  // one of kLooks
enum { kDay, kSunset, kDawn, kDusk, kOvercast, kNight, kStrange, kLooks };

void AddSky(Builder& b);
void AddStars(Builder& b, float strength);
struct CloudStyle {
  float amount = 0.4f;  // 0 hardly any to 0.8 nearly closed
  float wind = 0;       // world units a second
  double depth = 9;
  float base_y = 0.1f;  // none below
};
void AddClouds(Builder& b, const CloudStyle& style);
struct HillStyle {
  double depth = 2;
  float top = 0.1f;        // world y of the mean ridge
  float relief = 0.1f;     // its height
  float frequency = 1.5f;  // hills a world unit
  V4 color{};
  float haze = 0.3f;  // how much of the air's colour lies over it
  float snow = 0;     // white above the mean ridge
};
void AddHills(Builder& b, const HillStyle& style);
// Several ridges from far to near.
struct RangeStyle {
  int ridges = 3;
  float first_top = 0, last_top = 0.3f;
};
void AddRange(Builder& b, const RangeStyle& style);
// A plane in perspective from the horizon down, covered with a repeated texture.
struct GroundStyle {
  double horizon = 0, eye = 0.2;    // world y; height of the eye
  double size = 1;                  // of the texture's square
  double speed_x = 0, speed_z = 0;  // of the eye, units a second
};
void AddGround(Builder& b, Texture texture, const GroundStyle& style);
// Repeating material over the whole frame, at a depth.
void AddBackdrop(Builder& b);
// A photograph over the whole frame.
void AddPhoto(Builder& b);

// Cut-outs. `size` is their radius in world units.
enum class Shape { kDisc, kBlob, kStar, kRing, kSquare, kLeaf, kHeart, kTriangle };
inline constexpr int kShapes = 8;
Texture MakeCutOut(Builder& b, Shape shape, double radius_texels, Texture material);
Texture MakeShadow(double radius_texels);
// World paths: straight with reflections at the frame's edges (or beyond, by `outside`).
Placement BouncePath(Builder& b, double radius, double speed, double turn_speed, double outside = 0);

struct TreeStyle {
  double x = 0, foot = 0.4, height = 0.5, depth = 1;
  float sway = 0.02f;  // at the top, in heights
};
void AddTree(Builder& b, const TreeStyle& style);
struct GrassStyle {
  double top = 0.34, depth = 1;                                 // world y where the blades' feet begin
  float sway = 0.05f, hue = 0.25f, tall = 0.15f, blades = 260;  // `blades` a world unit
  float width = 0.004f;                                         // half of a blade's, world units
};
void AddGrass(Builder& b, const GrassStyle& style);
// Soft discs of `radius` on a repeating sheet of one world unit that moves by (drift, speed) a second.
struct FlakeStyle {
  float radius = 0.006f;
  int count = 50;
  double speed = 0.2, drift = 0, depth = 1;
  V4 color = {1, 1, 1, 1};
  bool glow = false;    // added light
  bool hollow = false;  // bubbles
};
void AddFlakes(Builder& b, const FlakeStyle& style);

// Random balls and boxes.
// `cells` to `cells` + `more` - 1 pattern units across.
Texture RandomMaterial(Builder& b, int size, int cells, int more);
struct SolidPath {
  std::vector<std::array<double, 2>> center;  // world
  std::vector<double> radius;                 // world
};
void AddSolid(Builder& b, bool ball, const SolidPath& path, double spin, double depth = 1);
Rotation TurnAbout(std::array<float, 3> axis, double turns, const Rotation& first);

}  // namespace mvd::synth
