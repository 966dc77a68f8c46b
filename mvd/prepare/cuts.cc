#include "mvd/prepare/cuts.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <numeric>

namespace mvd {
namespace {

constexpr int kBits = 3;  // of each channel
constexpr double kWholeDifference = 0.25 * 255;
constexpr size_t kRemembered = 8;
constexpr double kStandsOut = 2.5;  // times the mean of the scores before

}  // namespace

Thumbnail MakeThumbnail(const Image& image) {
  Thumbnail thumbnail;
  // Stretched, not cropped: what happens at the border counts.
  thumbnail.rgb.resize(size_t(kThumbnailWidth) * kThumbnailHeight * 3);
  thumbnail.histogram.assign(size_t(1) << 3 * kBits, 0.0f);
  uint8_t* to = thumbnail.rgb.data();
  for (int y = 0; y < kThumbnailHeight; ++y) {
    const int top = int(int64_t(y) * image.height / kThumbnailHeight);
    const int bottom = std::max(top + 1, int(int64_t(y + 1) * image.height / kThumbnailHeight));
    for (int x = 0; x < kThumbnailWidth; ++x, to += 3) {
      const int left = int(int64_t(x) * image.width / kThumbnailWidth);
      const int right = std::max(left + 1, int(int64_t(x + 1) * image.width / kThumbnailWidth));
      int64_t sum[3] = {};
      for (int v = top; v < bottom; ++v) {
        const uint8_t* from = &image.rgb[(size_t(v) * size_t(image.width) + size_t(left)) * 3];
        for (int u = left; u < right; ++u, from += 3) {
          for (int c = 0; c < 3; ++c) sum[c] += from[c];
        }
      }
      const int64_t count = int64_t(bottom - top) * (right - left);
      for (int c = 0; c < 3; ++c) to[c] = uint8_t((sum[c] + count / 2) / count);
      size_t bin = 0;
      for (int c = 0; c < 3; ++c) bin = bin << kBits | to[c] >> (8 - kBits);
      thumbnail.histogram[bin] += 1.0f / (kThumbnailWidth * kThumbnailHeight);
    }
  }
  return thumbnail;
}

double CutScore(const Thumbnail& a, const Thumbnail& b) {
  double moved = 0, difference = 0;
  for (size_t i = 0; i < a.histogram.size(); ++i) moved += std::abs(a.histogram[i] - b.histogram[i]) / 2;
  for (size_t i = 0; i < a.rgb.size(); ++i) difference += std::abs(int(a.rgb[i]) - int(b.rgb[i]));
  difference /= double(a.rgb.size());
  return std::sqrt(moved * std::min(1.0, difference / kWholeDifference));
}

int LargestDifference(const Thumbnail& a, const Thumbnail& b) {
  int largest = 0;
  for (size_t i = 0; i < a.rgb.size(); ++i)
    largest = std::max(largest, std::abs(int(a.rgb[i]) - int(b.rgb[i])));
  return largest;
}

bool CutDetector::IsCut(const Thumbnail& frame) {
  const double score = has_last_ ? CutScore(last_, frame) : 0;
  last_ = frame;
  if (!has_last_) {
    has_last_ = true;
    return false;
  }
  const double mean =
      scores_.empty() ? 0 : std::accumulate(scores_.begin(), scores_.end(), 0.0) / double(scores_.size());
  if (score > threshold_ && score > kStandsOut * mean) {
    scores_.clear();
    return true;
  }
  scores_.push_back(score);
  if (scores_.size() > kRemembered) scores_.pop_front();
  return false;
}

}  // namespace mvd
