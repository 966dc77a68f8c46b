// Frames for this folder's tests.
#pragma once

#include <cmath>
#include <vector>

#include "mvd/media/image.h"
#include "mvd/prepare/clip_cutter.h"

namespace mvd {

inline Image Flat(int width, int height, uint8_t value) {
  return {width, height, std::vector<uint8_t>(size_t(width) * size_t(height) * 3, value)};
}

// Waves of colour that move by `t` pixels to the left; reds and greens.
inline Image Waves(int width, int height, double t) {
  Image image = Flat(width, height, 20);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      uint8_t* pixel = &image.rgb[(size_t(y) * size_t(width) + size_t(x)) * 3];
      pixel[0] = uint8_t(std::lround(150 + 90 * std::sin(0.105 * (x + t) + 0.06 * y)));
      pixel[1] = uint8_t(std::lround(120 + 90 * std::sin(0.077 * (x + t) - 0.09 * y)));
    }
  }
  return image;
}

// Blue and white blocks that move by `t` pixels to the right.
inline Image Blocks(int width, int height, int t) {
  Image image = Flat(width, height, 230);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      uint8_t* pixel = &image.rgb[(size_t(y) * size_t(width) + size_t(x)) * 3];
      if (((x - t + 1000) / 20 + y / 20) % 2) pixel[0] = pixel[1] = 30;
    }
  }
  return image;
}

}  // namespace mvd
