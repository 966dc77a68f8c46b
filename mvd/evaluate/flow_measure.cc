#include "mvd/evaluate/flow_measure.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <functional>
#include <numeric>

#include "mvd/base/check.h"
#include "mvd/base/error.h"

namespace mvd {
namespace {

constexpr int64_t kRadius = 4;  // of the window: 9x9
// Of the pyramid's smallest level, where a clip allows it: with 16 a move of 6 pixels in a texture of 11
// pixels' period was lost at a quarter of 96x160, where it is more than half a period.
constexpr int64_t kSmallestSide = 8;
constexpr int kIterations = 4;  // a level
// A pull towards the window's mean flow, in squared levels of 255 per pixel of the window: it decides where
// there is no texture, and along edges that tell one direction alone.
constexpr float kPull = 20;

// The difference of brightness, in levels, at which a pixel counts half in a level's iteration k: it is
// covered, or moves otherwise than the window. Generous at first, when true moves are still to be found.
float Outlier(int k) { return 48 / float(1 << k); }

// (H,W) levels of grey, or one component of a flow in pixels of its level.
struct Plane {
  int64_t height = 0, width = 0;
  std::vector<float> values;

  Plane(int64_t h, int64_t w) : height(h), width(w), values(size_t(h * w)) {}
  float* Row(int64_t y) { return values.data() + y * width; }
  const float* Row(int64_t y) const { return values.data() + y * width; }
  const float* NearestRow(int64_t y) const { return Row(std::clamp<int64_t>(y, 0, height - 1)); }
};

struct Flow {
  Plane x, y;
};

// The place between four pixels, with the nearest pixel's value outside.
struct Bilinear {
  int64_t at[4];
  float fx, fy;

  Bilinear(const Plane& plane, float x, float y) {
    x = std::clamp(x, 0.f, float(plane.width - 1)), y = std::clamp(y, 0.f, float(plane.height - 1));
    const int64_t left = int64_t(x), top = int64_t(y);
    const int64_t right = left + (left + 1 < plane.width), below = plane.width * (top + 1 < plane.height);
    at[0] = top * plane.width + left, at[1] = top * plane.width + right;
    at[2] = at[0] + below, at[3] = at[1] + below;
    fx = x - float(left), fy = y - float(top);
  }
  float Of(const Plane& p) const {
    const float* v = p.values.data();
    const float above = v[at[0]] + fx * (v[at[1]] - v[at[0]]), under = v[at[2]] + fx * (v[at[3]] - v[at[2]]);
    return above + fy * (under - above);
  }
};

Plane Grey(const FloatClip& clip, int64_t t) {
  Plane grey(clip.height, clip.width);
  const auto rgb = clip.Frame(t);
  for (size_t i = 0; i < grey.values.size(); ++i) {
    float c[3];
    for (size_t k = 0; k < 3; ++k) {
      if (!std::isfinite(rgb[i * 3 + k]))
        ThrowBadInput("", "frame ", t, " holds ", rgb[i * 3 + k], ", expected finite pixels");
      c[k] = std::clamp(rgb[i * 3 + k], 0.f, 1.f);
    }
    grey.values[i] = 255 * (0.299f * c[0] + 0.587f * c[1] + 0.114f * c[2]);  // Rec. 601
  }
  return grey;
}

// Every second pixel of what (1,4,6,4,1)/16 blurs each way: pixel x is the larger picture's 2x.
Plane Halve(const Plane& from) {
  Plane half((from.height + 1) / 2, (from.width + 1) / 2);
  std::vector<float> column(size_t(from.width + 4));
  for (int64_t y = 0; y < half.height; ++y) {
    const float* r[5];
    for (int64_t k = 0; k < 5; ++k) r[k] = from.NearestRow(2 * y + k - 2);
    for (int64_t x = 0; x < from.width; ++x)
      column[size_t(x + 2)] = (r[0][x] + r[4][x] + 4 * (r[1][x] + r[3][x]) + 6 * r[2][x]) / 16;
    column[0] = column[1] = column[2];
    column[size_t(from.width + 2)] = column[size_t(from.width + 3)] = column[size_t(from.width + 1)];
    for (int64_t x = 0; x < half.width; ++x) {
      const float* c = &column[size_t(2 * x)];
      half.Row(y)[x] = (c[0] + c[4] + 4 * (c[1] + c[3]) + 6 * c[2]) / 16;
    }
  }
  return half;
}

std::vector<Plane> Pyramid(Plane grey) {
  std::vector<Plane> levels = {std::move(grey)};
  while (std::min(levels.back().height, levels.back().width) >= 2 * kSmallestSide)
    levels.push_back(Halve(levels.back()));
  return levels;
}

// The flow of a level from that of the next smaller one.
Flow Enlarged(const Flow& small, int64_t height, int64_t width) {
  Flow flow{Plane(height, width), Plane(height, width)};
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x) {
      const Bilinear place(small.x, float(x) / 2, float(y) / 2);
      flow.x.Row(y)[x] = 2 * place.Of(small.x), flow.y.Row(y)[x] = 2 * place.Of(small.y);
    }
  }
  return flow;
}

// Sums over windows, of planes that stand in a frame of kRadius zeros. Three times three neighbours each way
// are nine: eight additions a pixel, which vectorise, and no subtraction whose rounding would add up.
class WindowSums {
 public:
  WindowSums(int64_t height, int64_t width)
      : stride_(width + 2 * kRadius), size_((height + 2 * kRadius) * stride_) {
    for (auto* buffer : {&input_, &threes_, &nines_, &sums_}) buffer->resize(size_t(size_));
  }
  // Row y of the plane to sum; all of them are written before Run.
  float* Row(int64_t y) { return input_.data() + (y + kRadius) * stride_ + kRadius; }
  void Run() {
    Nine(input_, 1, size_, nines_);
    Nine(nines_, stride_, size_ - 8, sums_);
  }
  const float* SumsRow(int64_t y) const { return sums_.data() + y * stride_; }

 private:
  // to[i] = from[i] + from[i + step] + ... + from[i + 8 step], as far as `n` values of `from` go.
  void Nine(const std::vector<float>& from, int64_t step, int64_t n, std::vector<float>& to) {
    static_assert(kRadius == 4);
    const float* f = from.data();
    float *three = threes_.data(), *out = to.data();
    for (int64_t i = 0; i < n - 2 * step; ++i) three[i] = f[i] + f[i + step] + f[i + 2 * step];
    for (int64_t i = 0; i < n - 8 * step; ++i) out[i] = three[i] + three[i + 3 * step] + three[i + 6 * step];
  }

  int64_t stride_, size_;
  std::vector<float> input_, threes_, nines_, sums_;
};

// One level's normal equations (a b; b c) flow = (d; e), summed over each pixel's window.
class Level {
 public:
  Level(const Plane& before, const Plane& after)
      : before_(before), after_(after), sums_{Window(), Window(), Window(), Window(), Window()} {}

  void Iterate(Flow& flow, float outlier) {
    for (int64_t y = 0; y < before_.height; ++y) WriteTerms(flow, y, outlier);
    for (WindowSums& sum : sums_) sum.Run();
    for (int64_t y = 0; y < before_.height; ++y) SolveRow(flow, y);
  }

 private:
  WindowSums Window() const { return WindowSums(before_.height, before_.width); }

  // Linear in the flow sought: gradient . (new flow - flow) = before - after(warped). The whole new flow is
  // solved for, not its change, so that a window's pixels may have had different flows.
  void WriteTerms(const Flow& flow, int64_t y, float outlier) {
    const int64_t width = before_.width;
    const float *above = before_.NearestRow(y - 1), *row = before_.Row(y), *below = before_.NearestRow(y + 1);
    const float *fx = flow.x.Row(y), *fy = flow.y.Row(y);
    float* to[5];
    for (size_t k = 0; k < 5; ++k) to[k] = sums_[k].Row(y);
    for (int64_t x = 0; x < width; ++x) {
      const float gx = (row[std::min(x + 1, width - 1)] - row[std::max<int64_t>(x - 1, 0)]) / 2;
      const float gy = (below[x] - above[x]) / 2;
      const float px = float(x) + fx[x], py = float(y) + fy[x];
      const bool inside = px >= 0 && py >= 0 && px <= float(width - 1) && py <= float(before_.height - 1);
      const float change = row[x] - Bilinear(after_, px, py).Of(after_);
      const float ratio = change / outlier;
      const float weight = inside ? 1 / (1 + ratio * ratio) : 0;
      const float told = weight * (gx * fx[x] + gy * fy[x] + change);
      to[0][x] = weight * gx * gx + kPull, to[1][x] = weight * gx * gy, to[2][x] = weight * gy * gy + kPull;
      to[3][x] = gx * told + kPull * fx[x], to[4][x] = gy * told + kPull * fy[x];
    }
  }

  void SolveRow(Flow& flow, int64_t y) const {
    const float* s[5];
    for (size_t k = 0; k < 5; ++k) s[k] = sums_[k].SumsRow(y);
    for (int64_t x = 0; x < before_.width; ++x) {
      // In double: of an edge, a c - b^2 is the small difference of large numbers; kPull keeps it above 0.
      const double a = s[0][x], b = s[1][x], c = s[2][x], d = s[3][x], e = s[4][x];
      const double scale = 1 / (a * c - b * b);
      flow.x.Row(y)[x] = float((c * d - b * e) * scale), flow.y.Row(y)[x] = float((a * e - b * d) * scale);
    }
  }

  const Plane &before_, &after_;
  std::array<WindowSums, 5> sums_;  // a, b, c, d, e
};

Flow PairFlow(const std::vector<Plane>& before, const std::vector<Plane>& after) {
  const Plane& smallest = before.back();
  Flow flow{Plane(smallest.height, smallest.width), Plane(smallest.height, smallest.width)};
  for (size_t i = before.size(); i-- > 0;) {
    if (i + 1 < before.size()) flow = Enlarged(flow, before[i].height, before[i].width);
    Level level(before[i], after[i]);
    for (int k = 0; k < kIterations; ++k) level.Iterate(flow, Outlier(k));
  }
  return flow;
}

}  // namespace

std::vector<float> OpticalFlow(const FloatClip& clip, const Threads& threads) {
  MVD_CHECK(clip.frames >= 1 && clip.height >= 1 && clip.width >= 1);
  const int64_t pixels = clip.height * clip.width;
  MVD_CHECK_EQ(int64_t(clip.rgb.size()), clip.frames * pixels * 3);
  std::vector<std::vector<Plane>> pyramids(size_t(clip.frames));
  ParallelFor(threads, clip.frames, [&](int64_t t, int) { pyramids[size_t(t)] = Pyramid(Grey(clip, t)); });
  std::vector<float> result(size_t((clip.frames - 1) * pixels * 2));
  ParallelFor(threads, clip.frames - 1, [&](int64_t t, int) {
    const Flow flow = PairFlow(pyramids[size_t(t)], pyramids[size_t(t + 1)]);
    float* to = result.data() + t * pixels * 2;
    for (size_t i = 0; i < size_t(pixels); ++i)
      to[2 * i] = flow.x.values[i], to[2 * i + 1] = flow.y.values[i];
  });
  return result;
}

double MeanFlow(std::span<const float> flow) {
  MVD_CHECK_EQ(flow.size() % 2, 0u);
  double sum = 0;
  for (size_t i = 0; i < flow.size(); i += 2) sum += std::hypot(double(flow[i]), double(flow[i + 1]));
  return flow.empty() ? 0 : 2 * sum / double(flow.size());
}

bool IsDynamic(std::span<const float> flow, int64_t height, int64_t width) {
  const size_t pixels = size_t(height * width);
  MVD_CHECK_EQ(flow.size() % (2 * pixels), 0u);
  const size_t pairs = flow.size() / (2 * pixels), fastest = std::max<size_t>(1, pixels / 20);
  const double least = 6 * double(std::min(height, width)) / 256;
  size_t fast = 0;
  std::vector<double> lengths(pixels);
  for (size_t pair = 0; pair < pairs; ++pair) {
    const float* xy = &flow[pair * 2 * pixels];
    for (size_t i = 0; i < pixels; ++i) lengths[i] = std::hypot(double(xy[2 * i]), double(xy[2 * i + 1]));
    std::nth_element(lengths.begin(), lengths.begin() + std::ptrdiff_t(fastest - 1), lengths.end(),
                     std::greater<>());
    const double sum = std::accumulate(lengths.begin(), lengths.begin() + std::ptrdiff_t(fastest), 0.0);
    fast += sum / double(fastest) > least;
  }
  return pairs > 0 && double(fast) >= std::round(4 * double(pairs + 1) / 16);
}

double EndPointError(std::span<const float> flow, std::span<const float> truth) {
  MVD_CHECK_EQ(flow.size(), truth.size());
  MVD_CHECK_EQ(flow.size() % 2, 0u);
  double sum = 0;
  for (size_t i = 0; i < flow.size(); i += 2)
    sum += std::hypot(double(flow[i]) - truth[i], double(flow[i + 1]) - truth[i + 1]);
  return flow.empty() ? 0 : 2 * sum / double(flow.size());
}

}  // namespace mvd
