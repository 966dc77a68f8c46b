#include "mvd/evaluate/motion_figures.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "mvd/base/check.h"
#include "mvd/evaluate/flow_measure.h"

namespace mvd {
namespace {

float GreyAt(std::span<const float> frame, size_t pixel) {
  return 0.299f * frame[3 * pixel] + 0.587f * frame[3 * pixel + 1] + 0.114f * frame[3 * pixel + 2];
}

// The mean of 5x5 pixels around each of a flow (H,W,2).
std::vector<float> Smoothed(const std::vector<float>& flow, int64_t height, int64_t width) {
  constexpr int64_t kRadius = 2;
  std::vector<float> smooth(flow.size());
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x) {
      double sum[2] = {}, count = 0;
      for (int64_t j = std::max<int64_t>(y - kRadius, 0); j <= std::min(y + kRadius, height - 1); ++j) {
        for (int64_t i = std::max<int64_t>(x - kRadius, 0); i <= std::min(x + kRadius, width - 1);
             ++i, ++count)
          for (size_t c = 0; c < 2; ++c) sum[c] += flow[size_t((j * width + i) * 2) + c];
      }
      for (size_t c = 0; c < 2; ++c) smooth[size_t((y * width + x) * 2) + c] = float(sum[c] / count);
    }
  }
  return smooth;
}

// Sums of products for the least squares of a similarity: u = a x - b y + c, v = b x + a y + d, about the
// middle.
struct Similarity {
  double xx = 0, n = 0, u = 0, v = 0, along = 0, across = 0, square = 0;

  void Add(double x, double y, double du, double dv) {
    xx += x * x + y * y, n += 1, u += du, v += dv;
    along += x * du + y * dv, across += x * dv - y * du, square += du * du + dv * dv;
  }
  // What is explained; coordinates sum to 0, so that shift and the rest do not mix.
  double Explained() const { return (u * u + v * v) / n + (along * along + across * across) / xx; }
};

}  // namespace

double EdgeStrength(const FloatClip& clip, int64_t t) {
  const std::span<const float> frame = clip.Frame(t);
  std::vector<float> lengths;
  for (int64_t y = 0; y + 1 < clip.height; ++y) {
    for (int64_t x = 0; x + 1 < clip.width; ++x) {
      const size_t pixel = size_t(y * clip.width + x);
      const float here = GreyAt(frame, pixel);
      lengths.push_back(
          std::hypot(GreyAt(frame, pixel + 1) - here, GreyAt(frame, pixel + size_t(clip.width)) - here));
    }
  }
  if (lengths.empty()) return 0;
  const auto at = lengths.begin() + ptrdiff_t(lengths.size() * 95 / 100);
  std::nth_element(lengths.begin(), at, lengths.end());
  return *at;
}

double WarpError(const FloatClip& clip, std::span<const float> flow) {
  const int64_t pixels = clip.height * clip.width;
  MVD_CHECK_EQ(int64_t(flow.size()), (clip.frames - 1) * pixels * 2);
  double sum = 0, count = 0;
  for (int64_t t = 0; t + 1 < clip.frames; ++t) {
    for (int64_t pixel = 0; pixel < pixels; ++pixel) {
      const float* way = &flow[size_t((t * pixels + pixel) * 2)];
      const double x = double(pixel % clip.width) + way[0], y = double(pixel / clip.width) + way[1];
      if (x < 0 || y < 0 || x > double(clip.width - 1) || y > double(clip.height - 1)) continue;
      for (int64_t c = 0; c < 3; ++c)
        sum += std::abs(double(clip.Frame(t)[size_t(pixel * 3 + c)]) -
                        ReadBilinear(clip.Frame(t + 1), clip.height, clip.width, 3, x, y, c)),
            count += 1;
    }
  }
  return count > 0 ? 255 * sum / count : 0;
}

double ExplainedByFirst(const FloatClip& clip, const Threads& threads) {
  const std::vector<float> back = OpticalFlow(Reversed(clip), threads);
  const int64_t h = clip.height, w = clip.width, pixels = h * w;
  // back[0] leads from the last frame to the one before it.
  std::vector<float> way(size_t(pixels * 2), 0.0f);
  for (int64_t t = 0; t + 1 < clip.frames; ++t) {
    const std::span<const float> step = std::span(back).subspan(size_t(t * pixels * 2), size_t(pixels * 2));
    for (int64_t pixel = 0; pixel < pixels; ++pixel) {
      const double x = double(pixel % w) + way[size_t(2 * pixel)],
                   y = double(pixel / w) + way[size_t(2 * pixel + 1)];
      const float dx = ReadBilinear(step, h, w, 2, x, y, 0), dy = ReadBilinear(step, h, w, 2, x, y, 1);
      way[size_t(2 * pixel)] += dx, way[size_t(2 * pixel + 1)] += dy;
    }
  }
  way = Smoothed(way, h, w);
  std::vector<float> moved(size_t(pixels * 3));
  for (int64_t pixel = 0; pixel < pixels; ++pixel) {
    const double x = double(pixel % w) + way[size_t(2 * pixel)],
                 y = double(pixel / w) + way[size_t(2 * pixel + 1)];
    for (int64_t c = 0; c < 3; ++c)
      moved[size_t(pixel * 3 + c)] = ReadBilinear(clip.Frame(0), h, w, 3, x, y, c);
  }
  return Psnr(moved, clip.Frame(clip.frames - 1));
}

double SimilarityShare(std::span<const float> flow, int64_t height, int64_t width) {
  const size_t pixels = size_t(height * width);
  MVD_CHECK_EQ(flow.size() % (2 * pixels), 0u);
  double explained = 0, square = 0;
  for (size_t pair = 0; pair < flow.size() / (2 * pixels); ++pair) {
    Similarity fit;
    for (size_t pixel = 0; pixel < pixels; ++pixel) {
      const float* way = &flow[(pair * pixels + pixel) * 2];
      fit.Add(double(pixel % size_t(width)) - double(width - 1) / 2,
              double(pixel / size_t(width)) - double(height - 1) / 2, way[0], way[1]);
    }
    explained += fit.Explained(), square += fit.square;
  }
  return square > 0 ? std::clamp(explained / square, 0.0, 1.0) : 1;
}

double FlowCosine(std::span<const float> a, std::span<const float> b) {
  MVD_CHECK_EQ(a.size(), b.size());
  double product = 0, squares_a = 0, squares_b = 0;
  for (size_t i = 0; i < a.size(); ++i)
    product += double(a[i]) * b[i], squares_a += double(a[i]) * a[i], squares_b += double(b[i]) * b[i];
  const double length = std::sqrt(squares_a * squares_b);
  return length > 0 ? product / length : 0;
}

}  // namespace mvd
