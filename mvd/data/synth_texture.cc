#include "mvd/data/synth_texture.h"

namespace mvd::synth {
namespace {

Texture Halved(const Texture& texture) {
  Texture half(std::max(texture.width / 2, 1), std::max(texture.height / 2, 1));
  half.repeat = texture.repeat;
  for (int y = 0; y < half.height; ++y) {
    for (int x = 0; x < half.width; ++x) {
      half.At(x, y) = (texture.At(2 * x, 2 * y) + texture.At(2 * x + 1, 2 * y) +
                       texture.At(2 * x, 2 * y + 1) + texture.At(2 * x + 1, 2 * y + 1)) *
                      Splat(0.25f);
    }
  }
  return half;
}

// What the materials share: two or three colours and noise over the unit square.
struct Recipe {
  V4 light, dark, accent;
  Map broad, fine;
  float cells;
  float softness;  // width of an antialiased edge in pattern units
};

// -1 to 1 with a soft edge at 0.
float Edge(float distance, float softness) { return Clamp01(0.5f + distance / softness); }
// Distance of x to the nearest whole number, and to the pattern's middle lines.
float ToGrid(float x) { return std::abs(x - float(FloorInt(x + 0.5f))); }

V4 Wood(const Recipe& r, float, float v, float broad, float fine) {
  const float rings = v * r.cells + 0.8f * broad;
  const float wave = 0.5f + 0.5f * Sin(rings);
  return Mix(r.dark, r.light, Clamp01(wave * wave * 0.8f + 0.2f + 0.2f * fine));
}
V4 Marble(const Recipe& r, float u, float v, float broad, float fine) {
  const float vein = std::abs(Sin(0.5 * (u * r.cells + v * r.cells) + 0.5 * broad + 0.12 * fine));
  return Mix(r.dark, r.light, Clamp01(std::sqrt(vein) * 1.05f));
}
V4 Checks(const Recipe& r, float u, float v, float, float fine) {
  const float x = u * r.cells, y = v * r.cells;
  const float sx = Edge(ToGrid(x / 2) * 2 - 0.5f, r.softness),
              sy = Edge(ToGrid(y / 2) * 2 - 0.5f, r.softness);
  const float odd = sx + sy - 2 * sx * sy;
  return Mix(r.dark, r.light, odd) * Splat(1 + 0.12f * fine);
}
V4 Stripes(const Recipe& r, float, float v, float broad, float fine) {
  const float x = v * r.cells;
  const float s = Edge(ToGrid(x) - 0.25f, r.softness), thin = Edge(0.06f - ToGrid(x), r.softness);
  return Mix(Mix(r.dark, r.light, s), r.accent, thin) * Splat(1 + 0.1f * fine + 0.05f * broad);
}
V4 Dots(const Recipe& r, float u, float v, float broad, float) {
  const float dx = ToGrid(u * r.cells), dy = ToGrid(v * r.cells);
  const float dot = Edge(0.3f - std::sqrt(dx * dx + dy * dy), r.softness);
  return Mix(r.light, r.accent, dot) * Splat(1 + 0.15f * broad);
}
V4 Stone(const Recipe& r, float, float, float broad, float fine) {
  return Mix(r.dark, r.light, Clamp01(0.5f + 0.35f * broad + 0.3f * fine));
}
V4 Bricks(const Recipe& r, float u, float v, float broad, float fine) {
  const float y = v * r.cells;
  const int row = FloorInt(y);
  const float x = u * r.cells / 2 + 0.5f * float(row & 1);
  const int column = FloorInt(x) % std::max(int(r.cells) / 2, 1);
  const float gap = std::min(ToGrid(x) * 2, ToGrid(y));
  const float tone = Unit(Hash(77, column, row));
  const V4 brick = Mix(r.accent, r.dark, 0.15f + 0.5f * tone) * Splat(1 + 0.25f * fine + 0.1f * broad);
  return Mix(r.light * Splat(0.6f), brick, Edge(gap - 0.07f, r.softness));
}
V4 Tiles(const Recipe& r, float u, float v, float broad, float fine) {
  const float x = u * r.cells, y = v * r.cells;
  const float tone = Unit(Hash(31, FloorInt(x), FloorInt(y)));
  const V4 tile =
      Mix(tone < 0.5f ? r.light : r.accent, r.dark, 0.3f * tone) * Splat(1 + 0.1f * fine + 0.1f * broad);
  return Mix(r.dark * Splat(0.4f), tile, Edge(std::min(ToGrid(x), ToGrid(y)) - 0.05f, r.softness));
}
V4 Swirl(const Recipe& r, float u, float v, float broad, float fine) {
  const float wave = 0.5f + 0.5f * Sin(u * r.cells / 2 + 0.7f * broad + 0.1f * fine);
  const float other = 0.5f + 0.5f * Sin(v * r.cells / 2 - 0.9f * broad);
  return Mix(Mix(r.dark, r.accent, wave), r.light, other * other);
}

using MaterialFunction = V4 (*)(const Recipe&, float u, float v, float broad, float fine);
constexpr MaterialFunction kFunctions[kMaterials] = {Wood,  Marble, Checks, Stripes, Dots,
                                                     Stone, Bricks, Tiles,  Swirl};

}  // namespace

void AddMipLevels(Texture& texture) {
  texture.smaller.clear();
  texture.smaller.reserve(12);  // a level is made from the one before it
  const Texture* last = &texture;
  while (last->width >= 8 && last->height >= 8) {
    texture.smaller.push_back(Halved(*last));
    last = &texture.smaller.back();
  }
}

V4 SampleLevel(const Texture& texture, float u, float v, float level) {
  if (level <= 0 || texture.smaller.empty()) return Sample(texture, u, v);
  level = std::min(level, float(texture.smaller.size()));
  const int whole = std::min(int(level), int(texture.smaller.size()) - 1);
  const float fine_scale = 1 / float(1 << whole), part = level - float(whole);
  const Texture& fine = whole == 0 ? texture : texture.smaller[size_t(whole - 1)];
  const Texture& coarse = texture.smaller[size_t(whole)];
  return Mix(Sample(fine, u * fine_scale, v * fine_scale),
             Sample(coarse, u * fine_scale * 0.5f, v * fine_scale * 0.5f), part);
}

V4 FromScreen(float r, float g, float b) { return V4{r * r, g * g, b * b, 1}; }

V4 FromHsv(const Hsv& color) {
  const auto [hue, saturation, value] = color;
  const auto channel = [hue = hue, saturation = saturation, value = value](float offset) {
    float h = hue + offset;
    h = (h - float(FloorInt(h))) * 6;
    return value * (1 - saturation * (1 - Clamp01(std::abs(h - 3) - 1)));
  };
  return FromScreen(channel(0), channel(2.0f / 3), channel(1.0f / 3));
}

Texture MakeMaterial(Material material, int size, int cells, float hue, Stream& random) {
  const bool even = material == Material::kChecks || material == Material::kBricks ||
                    material == Material::kMarble || material == Material::kSwirl;
  if (even) cells = std::max(cells / 2 * 2, 2);
  const float vivid = random.Range(0.25f, 0.85f);
  const bool wood = material == Material::kWood;
  const float base = wood ? random.Range(0.05f, 0.11f) : hue;
  const NoiseSpec broad{3, wood ? 6.0 : 3.0, 4, 0.5, random.Bits(), true};
  const NoiseSpec fine{wood ? 4.0 : 16.0, wood ? 48.0 : 16.0, 3, 0.6, random.Bits(), true};
  Recipe recipe{FromHsv({base, wood ? 0.5f : vivid * random.Range(0.2f, 0.9f), random.Range(0.75f, 0.98f)}),
                FromHsv({base + random.Range(-0.05f, 0.05f), wood ? 0.7f : vivid, random.Range(0.2f, 0.45f)}),
                FromHsv({base + random.Range(0.3f, 0.7f), vivid, random.Range(0.6f, 0.95f)}),
                FractalNoise(size, size, {}, broad),
                FractalNoise(size, size, {}, fine),
                float(cells),
                1.5f * float(cells) / float(size)};
  Texture texture(size, size);
  texture.repeat = true;
  const MaterialFunction function = kFunctions[int(material)];
  for (int y = 0; y < size; ++y) {
    for (int x = 0; x < size; ++x) {
      const float u = (float(x) + 0.5f) / float(size), v = (float(y) + 0.5f) / float(size);
      texture.At(x, y) = Opaque(function(recipe, u, v, recipe.broad.At(x, y), recipe.fine.At(x, y)));
    }
  }
  AddMipLevels(texture);
  return texture;
}

Texture FromPicture(const uint8_t* rgb, int picture_width, int picture_height, int width, int height,
                    const Crop& crop) {
  const double scale = crop.share * std::min(double(picture_width) / width, double(picture_height) / height);
  const double left = (picture_width - scale * width) * crop.place_x;
  const double top = (picture_height - scale * height) * crop.place_y;
  Texture texture(width, height);
  std::vector<Texel> row(static_cast<size_t>(picture_width));
  const int first = std::max(int(left) - 2, 0);
  const int last = std::min(int(left + scale * width) + 2, picture_width - 1);  // of the columns read
  // Boxes of at least one picture pixel, by their overlap: area means when shrinking, sharp when growing.
  const double box = std::max(scale * crop.box, 1.0);
  for (int y = 0; y < height; ++y) {
    const double cy = top + scale * (y + 0.5);
    const int y0 = std::max(int(Floor(cy - box / 2)), 0);
    const int y1 = std::min(int(Floor(cy + box / 2)), picture_height - 1);
    std::fill(row.begin(), row.end(), Texel{Splat(0)});
    float rows = 0;
    for (int sy = y0; sy <= y1; ++sy) {
      const float weight = float(std::min(sy + 1.0, cy + box / 2) - std::max(double(sy), cy - box / 2));
      if (weight <= 0) continue;
      rows += weight;
      const uint8_t* p = rgb + (size_t(sy) * picture_width + first) * 3;
      for (int sx = first; sx <= last; ++sx, p += 3) {
        const V4 c = {float(p[0]), float(p[1]), float(p[2]), 0};
        row[size_t(sx)].v += c * c * Splat(weight / (255.0f * 255.0f));
      }
    }
    for (int x = 0; x < width; ++x) {
      const double cx = left + scale * (x + 0.5);
      const int x0 = std::max(int(Floor(cx - box / 2)), 0);
      const int x1 = std::min(int(Floor(cx + box / 2)), picture_width - 1);
      V4 sum = Splat(0);
      float columns = 0;
      for (int sx = x0; sx <= x1; ++sx) {
        const float weight = float(std::min(sx + 1.0, cx + box / 2) - std::max(double(sx), cx - box / 2));
        if (weight <= 0) continue;
        columns += weight;
        sum += row[size_t(sx)].v * Splat(weight);
      }
      texture.At(crop.mirror ? width - 1 - x : x, y) =
          Opaque(sum * Splat(1 / std::max(rows * columns, 1e-6f)));
    }
  }
  return texture;
}

}  // namespace mvd::synth
