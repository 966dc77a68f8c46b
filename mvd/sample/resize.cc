#include "mvd/sample/resize.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "mvd/base/error.h"

namespace mvd {
namespace {

int64_t RoundedDiv(int64_t a, int64_t b) { return (2 * a + b) / (2 * b); }

// The part of `image` that a frame of w x h at its centre covers; black where it covers nothing.
RgbImage Recentre(const RgbView& image, int64_t w, int64_t h) {
  RgbImage result{std::vector<uint8_t>(size_t(w * h * kRgbChannels), 0), w, h};
  const int64_t copy_w = std::min(w, image.width), copy_h = std::min(h, image.height);
  const int64_t from_x = (image.width - copy_w) / 2, from_y = (image.height - copy_h) / 2;
  const int64_t to_x = (w - copy_w) / 2, to_y = (h - copy_h) / 2;
  for (int64_t y = 0; y < copy_h; ++y) {
    const uint8_t* from = &image.pixels[size_t(((from_y + y) * image.width + from_x) * kRgbChannels)];
    std::copy_n(from, copy_w * kRgbChannels, &result.pixels[size_t(((to_y + y) * w + to_x) * kRgbChannels)]);
  }
  return result;
}

}  // namespace

std::string_view Name(Fit fit) {
  switch (fit) {
    case Fit::kCrop:
      return "crop";
    case Fit::kStretch:
      return "stretch";
    case Fit::kPad:
      return "pad";
  }
  MVD_CHECK(false, int(fit));
  return "";
}

std::optional<Fit> ParseFit(std::string_view name) {
  for (Fit fit : {Fit::kCrop, Fit::kStretch, Fit::kPad}) {
    if (name == Name(fit)) return fit;
  }
  return std::nullopt;
}

FrameSizes FrameSize(int64_t image_width, int64_t image_height, int64_t width, int64_t height, Fit fit) {
  MVD_CHECK(image_width >= 1 && image_height >= 1 && width >= 1 && height >= 1, image_width, "x",
            image_height, " to ", width, "x", height);
  int64_t w = image_width, h = image_height;
  const bool wider = w * height > width * h;
  if (fit == Fit::kCrop) {
    if (wider)
      w = std::clamp<int64_t>(RoundedDiv(h * width, height), 1, w);
    else
      h = std::clamp<int64_t>(RoundedDiv(w * height, width), 1, h);
  } else if (fit == Fit::kPad) {
    if (wider)
      h = std::max(h, RoundedDiv(w * height, width));
    else
      w = std::max(w, RoundedDiv(h * width, height));
  }
  return {w, h};
}

RgbImage FrameImage(const RgbView& image, int64_t width, int64_t height, Fit fit) {
  MVD_CHECK_EQ(int64_t(image.pixels.size()), image.width * image.height * kRgbChannels);
  const auto [w, h] = FrameSize(image.width, image.height, width, height, fit);
  return Recentre(image, w, h);
}

RgbImage FrameImage(RgbImage image, int64_t width, int64_t height, Fit fit) {
  const auto [w, h] = FrameSize(image.width, image.height, width, height, fit);
  if (w > image.width || h > image.height) return Recentre(image.view(), w, h);
  // In place: no pixel moves to the right or down.
  const int64_t from_x = (image.width - w) / 2, from_y = (image.height - h) / 2;
  for (int64_t y = 0; y < h; ++y) {
    std::memmove(&image.pixels[size_t(y * w * kRgbChannels)],
                 &image.pixels[size_t(((from_y + y) * image.width + from_x) * kRgbChannels)],
                 size_t(w * kRgbChannels));
  }
  image.pixels.resize(size_t(w * h * kRgbChannels));
  return {std::move(image.pixels), w, h};
}

RgbImage FitImage(const RgbView& image, int64_t width, int64_t height, Fit fit) {
  if (fit == Fit::kStretch) return LanczosResize(image, width, height);
  return LanczosResize(FrameImage(image, width, height, fit).view(), width, height);
}

Tensor ToSignedUnit(const RgbView& image) {
  MVD_CHECK_EQ(int64_t(image.pixels.size()), image.width * image.height * kRgbChannels);
  Tensor result({1, image.height, image.width, kRgbChannels});
  std::transform(image.pixels.begin(), image.pixels.end(), result.f32().begin(), SignedUnit);
  return result;
}

namespace {

// The source's pixels under one of the target's, and how much of each.
struct AreaTaps {
  int64_t first = 0;
  std::vector<float> shares;  // sum 1
};

std::vector<AreaTaps> AreaTapsOf(int64_t from, int64_t to) {
  std::vector<AreaTaps> taps;
  const double scale = double(from) / double(to);
  for (int64_t i = 0; i < to; ++i) {
    const double begin = double(i) * scale, end = double(i + 1) * scale;
    AreaTaps& tap = taps.emplace_back(AreaTaps{int64_t(begin), {}});
    for (int64_t j = tap.first; j < from && double(j) < end; ++j)
      tap.shares.push_back(float((std::min(end, double(j + 1)) - std::max(begin, double(j))) / scale));
  }
  return taps;
}

}  // namespace

Tensor AreaResize(const TensorView& image, int64_t height, int64_t width) {
  const int64_t w = image.shape[2], c = image.shape[3];
  const std::vector<AreaTaps> rows = AreaTapsOf(image.shape[1], height), columns = AreaTapsOf(w, width);
  const std::span<const float> source = image.f32();
  Tensor result = Tensor::Zeros({1, height, width, c});
  std::vector<float> line(size_t(w * c));
  for (int64_t y = 0; y < height; ++y) {
    std::fill(line.begin(), line.end(), 0.0f);
    for (size_t i = 0; i < rows[size_t(y)].shares.size(); ++i) {
      const float* row = &source[size_t((rows[size_t(y)].first + int64_t(i)) * w * c)];
      for (size_t k = 0; k < line.size(); ++k) line[k] += rows[size_t(y)].shares[i] * row[k];
    }
    for (int64_t x = 0; x < width; ++x) {
      float* out = &result.f32()[size_t((y * width + x) * c)];
      const AreaTaps& tap = columns[size_t(x)];
      for (size_t i = 0; i < tap.shares.size(); ++i) {
        for (int64_t k = 0; k < c; ++k)
          out[k] += tap.shares[i] * line[size_t((tap.first + int64_t(i)) * c + k)];
      }
    }
  }
  return result;
}

}  // namespace mvd
