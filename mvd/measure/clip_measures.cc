#include "mvd/measure/clip_measures.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "mvd/base/check.h"

namespace mvd {
namespace {

constexpr int64_t kBlock = 8;

// (rows, columns, 3) means of whole blocks.
std::vector<double> BlockMeans(const FloatClip& clip, int64_t t) {
  const int64_t rows = clip.height / kBlock, columns = clip.width / kBlock;
  std::vector<double> means(size_t(rows * columns * 3));
  const auto frame = clip.Frame(t);
  for (int64_t y = 0; y < rows * kBlock; ++y) {
    for (int64_t x = 0; x < columns * kBlock; ++x) {
      for (int64_t c = 0; c < 3; ++c) {
        means[size_t((y / kBlock * columns + x / kBlock) * 3 + c)] +=
            frame[size_t((y * clip.width + x) * 3 + c)];
      }
    }
  }
  for (double& mean : means) mean /= kBlock * kBlock;
  return means;
}

}  // namespace

double Psnr(std::span<const float> a, std::span<const float> b) {
  MVD_CHECK_EQ(a.size(), b.size());
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += (double(a[i]) - b[i]) * (double(a[i]) - b[i]);
  if (sum == 0) return std::numeric_limits<double>::infinity();
  return -10 * std::log10(sum / double(a.size()));
}

double Flicker(const FloatClip& clip) {
  if (clip.frames < 3 || clip.height < kBlock || clip.width < kBlock) return 0;
  std::vector<double> before = BlockMeans(clip, 0), now = BlockMeans(clip, 1);
  double sum = 0;
  for (int64_t t = 2; t < clip.frames; ++t) {
    std::vector<double> next = BlockMeans(clip, t);
    for (size_t i = 0; i < next.size(); ++i) sum += std::abs(before[i] - 2 * now[i] + next[i]);
    before = std::move(now), now = std::move(next);
  }
  return 255 * sum / double(now.size()) / double(clip.frames - 2);
}

double TemporalFlickering(const FloatClip& clip) {
  double sum = 0;
  for (int64_t t = 1; t < clip.frames; ++t) {
    const auto before = clip.Frame(t - 1), now = clip.Frame(t);
    for (size_t i = 0; i < now.size(); ++i) sum += std::abs(double(now[i]) - before[i]);
  }
  const double count = double(clip.rgb.size()) * double(clip.frames - 1) / double(clip.frames);
  return clip.frames < 2 ? 100 : 100 * (1 - sum / count);
}

FloatClip Reversed(const FloatClip& clip) {
  FloatClip back = clip;
  back.rgb.clear();
  for (int64_t t = clip.frames - 1; t >= 0; --t)
    back.rgb.insert(back.rgb.end(), clip.Frame(t).begin(), clip.Frame(t).end());
  return back;
}

float ReadBilinear(std::span<const float> values, int64_t height, int64_t width, int64_t channels, double x,
                   double y, int64_t c) {
  x = std::clamp(x, 0.0, double(width - 1)), y = std::clamp(y, 0.0, double(height - 1));
  const int64_t x0 = int64_t(x), y0 = int64_t(y), x1 = std::min(x0 + 1, width - 1),
                y1 = std::min(y0 + 1, height - 1);
  const float fx = float(x - double(x0)), fy = float(y - double(y0));
  const auto at = [&](int64_t row, int64_t column) {
    return values[size_t((row * width + column) * channels + c)];
  };
  const float above = at(y0, x0) + fx * (at(y0, x1) - at(y0, x0)),
              below = at(y1, x0) + fx * (at(y1, x1) - at(y1, x0));
  return above + fy * (below - above);
}

}  // namespace mvd
