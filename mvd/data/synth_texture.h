// Pictures that the scenes are made of: linear-light RGBA with mip levels, and how to sample them.
#pragma once

#include <cstdint>
#include <vector>

#include "mvd/data/noise_map.h"
#include "mvd/data/synth_math.h"

namespace mvd::synth {

// A vector of V4 would lose the type's alignment attribute; a struct keeps it.
struct Texel {
  V4 v;
};

// Linear light, alpha premultiplied. Texel (i,j) has its centre at (i + 0.5, j + 0.5). `repeat` needs sizes
// that are powers of two.
struct Texture {
  int width = 0, height = 0;
  bool repeat = false;
  std::vector<Texel> texels;
  std::vector<Texture> smaller;  // halves, quarters, ...: for surfaces that shrink; may be empty

  Texture() = default;
  Texture(int w, int h) : width(w), height(h), texels(size_t(w) * h) {}
  V4& At(int x, int y) { return texels[size_t(y) * width + x].v; }
  V4 At(int x, int y) const { return texels[size_t(y) * width + x].v; }
};

void AddMipLevels(Texture& texture);

// Bilinear. Outside it continues the edge, or repeats.
inline V4 SampleClamped(const Texture& texture, float u, float v) {
  u = std::min(std::max(u - 0.5f, 0.0f), float(texture.width) - 1.001f);
  v = std::min(std::max(v - 0.5f, 0.0f), float(texture.height) - 1.001f);
  const int x = int(u), y = int(v);
  const V4 fx = Splat(u - float(x)), fy = Splat(v - float(y));
  const Texel* p = &texture.texels[size_t(y) * texture.width + x];
  const V4 top = p[0].v + (p[1].v - p[0].v) * fx;
  p += texture.width;
  const V4 bottom = p[0].v + (p[1].v - p[0].v) * fx;
  return top + (bottom - top) * fy;
}
inline V4 SampleRepeated(const Texture& texture, float u, float v) {
  u -= 0.5f, v -= 0.5f;
  const int x = FloorInt(u), y = FloorInt(v);
  const V4 fx = Splat(u - float(x)), fy = Splat(v - float(y));
  const int x0 = x & (texture.width - 1), x1 = (x + 1) & (texture.width - 1);
  const Texel* upper = &texture.texels[size_t(y & (texture.height - 1)) * texture.width];
  const Texel* lower = &texture.texels[size_t((y + 1) & (texture.height - 1)) * texture.width];
  const V4 top = upper[x0].v + (upper[x1].v - upper[x0].v) * fx;
  const V4 bottom = lower[x0].v + (lower[x1].v - lower[x0].v) * fx;
  return top + (bottom - top) * fy;
}
inline V4 Sample(const Texture& texture, float u, float v) {
  return texture.repeat ? SampleRepeated(texture, u, v) : SampleClamped(texture, u, v);
}
// `level` = log2 of texels a pixel; between two levels both are mixed.
V4 SampleLevel(const Texture& texture, float u, float v, float level);

// Colours: hue in turns, saturation and value as on a screen; the result is linear (gamma 2), alpha 1.
struct Hsv {
  float hue, saturation, value;
};
V4 FromHsv(const Hsv& color);
// An opaque colour from screen values in [0, 1].
V4 FromScreen(float r, float g, float b);
inline V4 Opaque(V4 color) {
  color[3] = 1;
  return color;
}
// A colour as premultiplied paint of this coverage.
inline V4 Paint(V4 color, float coverage) { return Opaque(color) * Splat(coverage); }

enum class Material { kWood, kMarble, kChecks, kStripes, kDots, kStone, kBricks, kTiles, kSwirl };
inline constexpr int kMaterials = 9;

// A seamless square of size x size texels (a power of two) with mip levels, in colours of its own. `cells`:
// how many pattern units lie across it (a whole number).
Texture MakeMaterial(Material material, int size, int cells, float hue, Stream& random);

// Eight-bit screen pixels (3 bytes each, rows without padding), resampled to width x height by area: a part
// of the picture in that shape, as large as fits times `share`, at `place` (0,0 left upper to 1,1 right
// lower).
struct Crop {
  float share = 1, place_x = 0.5f, place_y = 0.5f;
  bool mirror = false;  // left for right
  float box = 1;        // side of the averaged box, in output pixels: less is sharper
};
Texture FromPicture(const uint8_t* rgb, int picture_width, int picture_height, int width, int height,
                    const Crop& crop);

}  // namespace mvd::synth
