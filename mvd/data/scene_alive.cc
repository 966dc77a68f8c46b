// Photographs that come alive: what lies where, and what moves how, is guessed from their colours. The
// guesses are coarse, and always the same for the same picture, so that a network can learn them.
#include "mvd/data/scene_builder.h"
#include "mvd/data/scene_kinds.h"

namespace mvd::synth {
namespace {

// Masks on the nodes of a Moved's grid, 0 to 1.
struct Guess {
  int columns = 0, rows = 0;
  std::vector<float> sky, leaves, water, flame, subject, near;  // near: 0 far away to 1
};

struct Cells {
  int columns = 0, rows = 0;
  std::vector<std::array<float, 4>> mean;  // red, green, blue as on a screen, and their roughness
};

// Means over the texture around each node.
Cells MeanColours(const Moved& moved) {
  Cells cells{moved.columns, moved.rows, {}};
  const float half = kMovedStep / 2.0f;
  for (int row = 0; row < cells.rows; ++row) {
    for (int column = 0; column < cells.columns; ++column) {
      float sum[3] = {}, light = 0, square = 0;
      constexpr int kSamples = 9;
      for (int i = 0; i < kSamples; ++i) {
        const float x = float(column * kMovedStep) + (float(i % 3) - 1) * half * 0.8f,
                    y = float(row * kMovedStep) + (float(i / 3) - 1) * half * 0.8f;
        const V4 colour = SampleClamped(moved.texture, (x + moved.margin) * moved.density,
                                        (y + moved.margin) * moved.density);
        float grey = 0;
        for (int c = 0; c < 3; ++c) {
          const float value = std::sqrt(Clamp01(colour[c]));
          sum[c] += value / kSamples, grey += value / 3;
        }
        light += grey / kSamples, square += grey * grey / kSamples;
      }
      const float roughness = std::sqrt(std::max(square - light * light, 0.0f));
      cells.mean.push_back({sum[0], sum[1], sum[2], roughness});
    }
  }
  return cells;
}

void Smooth(std::vector<float>& mask, int columns, int rows, int times) {
  for (int pass = 0; pass < times; ++pass) {
    const std::vector<float> old = mask;
    for (int row = 0; row < rows; ++row) {
      for (int column = 0; column < columns; ++column) {
        float sum = 0;
        for (int i = -1; i <= 1; ++i) {
          for (int j = -1; j <= 1; ++j) {
            const int y = std::min(std::max(row + i, 0), rows - 1),
                      x = std::min(std::max(column + j, 0), columns - 1);
            sum += old[size_t(y) * columns + x];
          }
        }
        mask[size_t(row) * columns + column] = sum / 9;
      }
    }
  }
}

// Smooth, light or blue, and nothing but sky above it.
std::vector<float> GuessSky(const Cells& cells) {
  std::vector<float> sky(cells.mean.size(), 0);
  for (int column = 0; column < cells.columns; ++column) {
    float open = 1;
    for (int row = 0; row < cells.rows; ++row) {
      const auto& [red, green, blue, rough] = cells.mean[size_t(row) * cells.columns + column];
      const float light = (red + green + blue) / 3;
      const bool is_sky = rough < 0.06f && (blue > red + 0.03f || light > 0.72f);
      open = is_sky ? open : std::max(open - 0.7f, 0.0f);
      sky[size_t(row) * cells.columns + column] = is_sky ? open : 0;
    }
  }
  return sky;
}

// How unlike the picture's border a node is, towards the middle.
std::vector<float> GuessSubject(const Cells& cells) {
  std::array<float, 3> mean{}, spread{};
  float count = 0;
  const auto border = [&](int row, int column) {
    return row < cells.rows / 6 || column < cells.columns / 8 || column >= cells.columns - cells.columns / 8;
  };
  for (int pass = 0; pass < 2; ++pass) {
    for (int row = 0; row < cells.rows; ++row) {
      for (int column = 0; column < cells.columns; ++column) {
        if (!border(row, column)) continue;
        const auto& cell = cells.mean[size_t(row) * cells.columns + column];
        for (size_t c = 0; c < 3; ++c) {
          if (pass == 0)
            mean[c] += cell[c];
          else
            spread[c] += (cell[c] - mean[c]) * (cell[c] - mean[c]);
        }
        if (pass == 0) ++count;
      }
    }
    for (size_t c = 0; c < 3; ++c)
      pass == 0 ? mean[c] /= std::max(count, 1.0f) : spread[c] /= std::max(count, 1.0f);
  }
  std::vector<float> subject;
  for (int row = 0; row < cells.rows; ++row) {
    for (int column = 0; column < cells.columns; ++column) {
      const auto& cell = cells.mean[size_t(row) * cells.columns + column];
      float distance = 0;
      for (size_t c = 0; c < 3; ++c)
        distance += (cell[c] - mean[c]) * (cell[c] - mean[c]) / (spread[c] + 0.004f);
      const float x = (float(column) + 0.5f) / float(cells.columns) * 2 - 1,
                  y = (float(row) + 0.5f) / float(cells.rows) * 2 - 1.1f;
      const float middle = 1 - SmoothStep(0.45f, 1, std::sqrt(x * x + 0.7f * y * y));
      subject.push_back(middle * SmoothStep(1.5f, 6, distance));
    }
  }
  return subject;
}

Guess GuessParts(const Moved& moved) {
  const Cells cells = MeanColours(moved);
  Guess g{cells.columns, cells.rows, GuessSky(cells), {}, {}, {}, GuessSubject(cells), {}};
  for (int row = 0; row < cells.rows; ++row) {
    const float height = float(row) / float(std::max(cells.rows - 1, 1));
    for (int column = 0; column < cells.columns; ++column) {
      const size_t i = size_t(row) * cells.columns + column;
      const auto& [red, green, blue, rough] = cells.mean[i];
      const float land = 1 - g.sky[i];
      g.leaves.push_back(land * SmoothStep(0.02f, 0.08f, green - std::max(red, blue)) *
                         SmoothStep(0.02f, 0.06f, rough));
      g.water.push_back(land * SmoothStep(0.4f, 0.6f, height) * SmoothStep(0.02f, 0.1f, blue - red));
      g.flame.push_back(SmoothStep(0.75f, 0.9f, red) * SmoothStep(0.25f, 0.45f, red - blue) *
                        SmoothStep(0.05f, 0.2f, green - blue));
      const float ground = SmoothStep(0.4f, 1, height);
      g.near.push_back(0.15f + land * (0.15f + 0.5f * ground) + 0.35f * g.subject[i]);
    }
  }
  for (std::vector<float>* mask : {&g.sky, &g.leaves, &g.water, &g.flame, &g.subject})
    Smooth(*mask, g.columns, g.rows, 1);
  Smooth(g.subject, g.columns, g.rows, 2), Smooth(g.near, g.columns, g.rows, 2);
  return g;
}

// The displacement at a node, in frame heights: (x, y) is the node's place, the frame's middle (0,0).
using Motion = std::function<std::array<double, 2>(int frame, size_t node, double x, double y)>;

// Fills `to` by the motion and `from` by turning it round: s = p - to(s), which converges where the motion is
// smooth.
void SetMotion(Moved& moved, const Builder& b, const Motion& motion) {
  const auto nodes = size_t(moved.columns) * size_t(moved.rows);
  const double height = b.scene.height;
  for (int t = 0; t < b.Frames(); ++t) {
    auto& to = moved.to.emplace_back(nodes);
    for (size_t i = 0; i < nodes; ++i) {
      const double x = (double(i % size_t(moved.columns)) * kMovedStep - b.scene.width * 0.5) / height,
                   y = (double(i / size_t(moved.columns)) * kMovedStep - height * 0.5) / height;
      const auto [dx, dy] = motion(t, i, x, y);
      to[i] = {float(dx * height), float(dy * height)};
    }
  }
  for (int t = 0; t < b.Frames(); ++t) {
    auto& from = moved.from.emplace_back(nodes);
    constexpr int kTurns = 8;
    for (size_t i = 0; i < nodes; ++i) {
      const float x = float(i % size_t(moved.columns)) * kMovedStep,
                  y = float(i / size_t(moved.columns)) * kMovedStep;
      std::array<float, 2> back{};
      for (int turn = 0; turn < kTurns; ++turn) {
        const auto [dx, dy] = GridAt(moved, moved.to[size_t(t)], x + back[0], y + back[1]);
        back = {-dx, -dy};
      }
      from[i] = back;
    }
  }
}

constexpr float kMargin = 0.14f;  // of a photograph beyond the frame, frame heights

Moved PlacePhoto(Builder& b) {
  Stream& r = b.random;
  const SynthPhoto& photo = b.options.photos[size_t(r.Int(int(b.options.photos.size())))];
  Moved moved;
  moved.density = 1.2f;
  moved.margin = kMargin * float(b.scene.height);
  const Crop crop{r.Range(0.75f, 1), r.Uniform(), r.Uniform(), r.Chance(0.5f)};
  const auto side = [&](int pixels) { return int((float(pixels) + 2 * moved.margin) * moved.density); };
  moved.texture = FromPicture(photo.rgb.data(), photo.width, photo.height, side(b.scene.width),
                              side(b.scene.height), crop);
  AddMipLevels(moved.texture);
  moved.columns = (b.scene.width + kMovedStep - 1) / kMovedStep + 1;
  moved.rows = (b.scene.height + kMovedStep - 1) / kMovedStep + 1;
  return moved;
}

// A hand that holds the camera: slow waves, x and y.
struct Hand {
  Hand(Stream& r, double size)
      : size_(size), beats_{r.Range(0.5f, 1.5f), r.Range(0.5f, 1.5f)}, phases_{r.Uniform(), r.Uniform()} {}
  double At(size_t axis, double seconds) const {
    return size_ * (Sin(phases_[axis] + beats_[axis] * seconds) - Sin(phases_[axis]));
  }
  double size_;
  std::array<double, 2> beats_, phases_;
};

}  // namespace

void BuildPhotoCamera(Builder& b) {
  Stream& r = b.random;
  Moved moved = PlacePhoto(b);
  const Guess guess = GuessParts(moved);
  const double turn = r.Uniform(), seconds = b.Duration(), speed = b.pace;
  // Sideways, up or down, inwards or outwards; or an orbit, in which the near goes one way and the far the
  // other.
  const bool orbits = r.Chance(0.35f), zooms = r.Chance(0.5f);
  const Swing pan(r, speed * r.Range(0.7f, 1.2f), kMargin * 0.95, seconds);
  const Swing dolly(r, zooms ? speed * 2.5 * r.Signed(0.4f, 1) : 0, 0.3, seconds);
  const Swing roll(r, r.Chance(0.3f) ? speed * 0.12 * r.Sign() : 0, 0.02, seconds);
  const Hand hand(r, r.Chance(0.4f) ? 0.006 * r.Range(0.3f, 1) : 0);
  const double still = orbits ? r.Range(0.3f, 0.6f) : 0, parallax = orbits ? 1.6 : r.Range(0.3f, 0.9f);
  SetMotion(moved, b, [&](int t, size_t node, double x, double y) -> std::array<double, 2> {
    const double s = b.Seconds(t), near = guess.near[node];
    const double share = orbits ? (near - still) * parallax : 1 - parallax + parallax * near;
    const double zoom = dolly.At(s) * (0.4 + 0.9 * near), angle = roll.At(s) * 6.283185;
    return {pan.At(s) * Cos(turn) * share + zoom * x - angle * y + hand.At(0, s),
            pan.At(s) * Sin(turn) * share * 0.6 + zoom * y + angle * x + hand.At(1, s)};
  });
  b.Add(std::move(moved));
}

void BuildPhotoAlive(Builder& b) {
  Stream& r = b.random;
  Moved moved = PlacePhoto(b);
  const Guess guess = GuessParts(moved);
  const double speed = b.pace, seconds = b.Duration();
  const Swing wind(r, speed * r.Signed(0.6f, 1.2f), 0.4, seconds);
  const double sway = std::min(speed * r.Range(0.15f, 0.4f), 0.03), beat = r.Range(0.5f, 1.4f);
  const double ripple = std::min(speed * 0.1, 0.012), run = r.Range(0.4f, 1.2f), length = r.Range(4, 9);
  const Swing walk(r, speed * r.Signed(0.3f, 1.2f), 0.12, seconds);
  const double nod = std::min(speed * r.Range(0.1f, 0.5f), 0.05) * (r.Chance(0.6f) ? 1 : 0);
  const double nod_beat = r.Range(0.3f, 0.9f), phase = r.Uniform();
  const Hand hand(r, r.Chance(0.3f) ? 0.004 * r.Range(0.3f, 1) : 0);
  SetMotion(moved, b, [&](int t, size_t node, double x, double y) -> std::array<double, 2> {
    const double s = b.Seconds(t);
    const auto wave = [&](double at) { return double(Sin(at) - Sin(at - beat * s)); };  // 0 at the start
    const double leaves = guess.leaves[node] * sway * wave(phase + 1.3 * x + 0.7 * y + beat * s);
    const double waves = Sin(phase + length * y + 1.1 * x + run * s) - Sin(phase + length * y + 1.1 * x);
    const double flame = guess.flame[node] * sway * 2 * (Sin(phase + 3 * y - 3 * s) - Sin(phase + 3 * y));
    const double bow = guess.subject[node] * nod * (Sin(phase + nod_beat * s) - Sin(phase));
    return {guess.sky[node] * wind.At(s) + leaves + guess.water[node] * ripple * waves * 1.5 + flame * 0.6 +
                guess.subject[node] * walk.At(s) + bow * (0.5 - y) + hand.At(0, s),
            guess.water[node] * ripple * waves + flame + bow * x * 0.5 + 0.3 * leaves + hand.At(1, s)};
  });
  b.Add(std::move(moved));
}

}  // namespace mvd::synth
