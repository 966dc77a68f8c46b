// What a scene is made of: surfaces with their place in every frame, painted from back to front.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "mvd/data/synth_texture.h"

namespace mvd::synth {

// Shifts a plane's texture along one axis by an amount that depends on the other: waves, sway, parallax
// within a picture. Exactly invertible, so the flow stays exact.
struct Bend {
  bool along_x = true;
  // offsets[t][i]: texels, at row (along_x) or column i of the texture; empty for a stiff plane.
  std::vector<std::vector<float>> offsets;
};

// A textured plane: background, ridge of hills, cut-out, flag, ground. One map a frame.
struct Plane {
  Texture texture;
  std::vector<Mat3> to_pixel;  // texel -> pixel
  std::vector<Mat3> to_texel;  // its inverse
  Bend bend;
  // gains[t][i]: brightness at row or column i of the texture (as the bend has it); empty for 1.
  std::vector<std::vector<float>> gains;
  // Ground seen in perspective: only pixels below the horizon (w > 0), fading into `haze` far away.
  V4 haze = {0, 0, 0, 1};
  float haze_w = 0;
  bool adds_light = false;  // paint that is added: glows, stars
};

struct Light {
  std::array<float, 3> direction{-0.5f, -0.6f, 0.6f};  // towards the light: x right, y down, z to the viewer
  V4 color = {1, 1, 1, 1};
  V4 ambient = {0.3f, 0.3f, 0.35f, 1};
};

using Rotation = std::array<float, 9>;  // object to view, rows

// A ball or a box in parallel projection.
struct Solid {
  bool ball = true;
  Texture texture;
  float texture_repeat = 1;                  // texture squares round a ball, or across a box's face
  std::array<float, 3> half_size{1, 1, 1};   // of a box, in radii
  std::vector<std::array<float, 2>> center;  // pixels
  std::vector<float> radius;                 // pixels
  std::vector<Rotation> rotation;
  Light light;
  float gloss = 0.4f;
};

// Water below a horizon: mirrors what is painted so far, broken by two drifting fields of ripples.
struct Water {
  Texture ripples;                                 // repeated; the first two channels are slopes
  std::vector<Mat3> to_texel, to_pixel;            // perspective, of the first field
  std::vector<std::array<float, 2>> second_drift;  // texels, of the second field against the first
  std::vector<float> horizon;                      // pixel row at the frame's middle column
  std::vector<float> horizon_slope;                // rows a column
  V4 color = {0, 0.05f, 0.08f, 1};
  V4 glint = {1, 1, 1, 1};
  std::vector<float> sun_x;  // pixel column of the glitter
  float roughness = 1;
};

// Fire or smoke: two rising fields of noise multiplied, within a shape.
struct Plume {
  Texture noise;  // repeated; channel 0
  bool fire = true;
  V4 color = {0.7f, 0.7f, 0.7f, 1};        // of smoke
  std::vector<std::array<float, 2>> foot;  // pixels
  std::vector<float> scale;                // pixels of the height
  std::vector<float> rise, rise2;          // texels that the fields have risen
  std::vector<float> drift;                // lean, in heights, at the top
  float width = 0.3f;                      // at the foot, in heights
  float density = 1;
};

// A picture whose parts move by themselves, as they do before a camera that moves or in the wind: smooth
// displacements on a grid of kMovedStep pixels, whose first node is pixel (0,0)'s corner.
struct Moved {
  Texture texture;
  float density = 1, margin = 0;  // texel = (pixel + margin) * density, where nothing has moved
  int columns = 0, rows = 0;      // nodes
  // [t][node], pixels: to[t] from a place in the first frame to the same in frame t, from[t] back.
  std::vector<std::vector<std::array<float, 2>>> to, from;
};
inline constexpr int kMovedStep = 8;

using Element = std::variant<Plane, Solid, Water, Plume, Moved>;

struct Scene {
  std::string kind;
  int width = 0, height = 0, frames = 0;
  std::vector<Element> elements;  // at most 255
};

// One frame while it is painted: linear light, and which element owns each pixel (its flow counts there).
struct Canvas {
  int width, height;
  std::vector<Texel> pixels;
  std::vector<uint8_t> owner;
  Canvas(int w, int h) : width(w), height(h), pixels(size_t(w) * h), owner(size_t(w) * h) {}
};

void PaintPlane(const Plane& plane, int frame, uint8_t id, Canvas& canvas);
void PaintSolid(const Solid& solid, int frame, uint8_t id, Canvas& canvas);
void PaintWater(const Water& water, int frame, uint8_t id, Canvas& canvas);
void PaintPlume(const Plume& plume, int frame, uint8_t id, Canvas& canvas);
void PaintMoved(const Moved& moved, int frame, uint8_t id, Canvas& canvas);

// Where the surface point that `frame` shows at pixel (x, y) lies in frame `to`, less (x, y).
std::array<float, 2> PlaneFlow(const Plane& plane, int frame, int to, float x, float y);
std::array<float, 2> SolidFlow(const Solid& solid, int frame, int to, float x, float y);
std::array<float, 2> WaterFlow(const Water& water, int frame, int to, float x, float y);
std::array<float, 2> PlumeFlow(const Plume& plume, int frame, int to, float x, float y);
std::array<float, 2> MovedFlow(const Moved& moved, int frame, int to, float x, float y);

// A grid's displacement at pixel (x, y).
std::array<float, 2> GridAt(const Moved& moved, const std::vector<std::array<float, 2>>& grid, float x,
                            float y);

// log2 of texels a pixel of a perspective map where its w is 1; subtract 1.5 log2(w). Across they go as 1/w,
// in depth as 1/w^2: this is their geometric mean.
float GroundLevel(const Mat3& to_texel);

// Paints all elements of a frame.
void PaintFrame(const Scene& scene, int frame, Canvas& canvas);
// Flow of an element at (x, y).
std::array<float, 2> ElementFlow(const Element& element, int frame, int to, float x, float y);

// src over dst, premultiplied; the pixel changes hands where the paint is the greater part.
inline void Blend(Canvas& canvas, size_t at, V4 paint, uint8_t id) {
  V4& pixel = canvas.pixels[at].v;
  pixel = paint + pixel * Splat(1 - paint[3]);
  if (paint[3] > 0.5f) canvas.owner[at] = id;
}

}  // namespace mvd::synth
