#include "mvd/media/scale.h"

extern "C" {
#include <libswscale/swscale.h>
}

#include <algorithm>
#include <memory>
#include <new>

#include "mvd/base/check.h"

namespace mvd {
namespace {

struct FreeContext {
  void operator()(SwsContext* context) const { sws_freeContext(context); }
};

struct Region {
  int x, y, width, height;
};

Region CentredPart(const Image& image, int width, int height) {
  Region part{0, 0, image.width, image.height};
  // Compares image.width / image.height with width / height in whole numbers.
  if (int64_t(image.width) * height > int64_t(width) * image.height) {
    part.width = int(std::max<int64_t>(1, (int64_t(image.height) * width + height / 2) / height));
  } else {
    part.height = int(std::max<int64_t>(1, (int64_t(image.width) * height + width / 2) / width));
  }
  part.width = std::min(part.width, image.width);
  part.height = std::min(part.height, image.height);
  part.x = (image.width - part.width) / 2;
  part.y = (image.height - part.height) / 2;
  return part;
}

// swscale reads and writes whole vectors: rows end in spare bytes.
constexpr int kSpare = 64;

}  // namespace

Image ScaleCrop(const Image& image, int width, int height) {
  MVD_CHECK(width > 0 && height > 0 && image.width > 0 && image.height > 0);
  const Region part = CentredPart(image, width, height);
  const int flags = SWS_LANCZOS | SWS_ACCURATE_RND | SWS_BITEXACT;
  const std::unique_ptr<SwsContext, FreeContext> context(
      sws_getContext(part.width, part.height, AV_PIX_FMT_GRAY8, width, height, AV_PIX_FMT_GRAY8, flags,
                     nullptr, nullptr, nullptr));
  if (!context) throw std::bad_alloc();
  const int from_stride = part.width + kSpare, to_stride = width + kSpare;
  std::vector<uint8_t> from(size_t(from_stride) * size_t(part.height) + kSpare);
  std::vector<uint8_t> to(size_t(to_stride) * size_t(height) + kSpare);
  Image out{width, height, std::vector<uint8_t>(size_t(width) * size_t(height) * 3)};
  for (int channel = 0; channel < 3; ++channel) {
    for (int y = 0; y < part.height; ++y) {
      const uint8_t* row = &image.rgb[(size_t(part.y + y) * size_t(image.width) + size_t(part.x)) * 3];
      for (int x = 0; x < part.width; ++x)
        from[size_t(y) * size_t(from_stride) + size_t(x)] = row[x * 3 + channel];
    }
    const uint8_t* sources[] = {from.data(), nullptr, nullptr, nullptr};
    uint8_t* targets[] = {to.data(), nullptr, nullptr, nullptr};
    const int from_strides[] = {from_stride, 0, 0, 0}, to_strides[] = {to_stride, 0, 0, 0};
    MVD_CHECK_EQ(sws_scale(context.get(), sources, from_strides, 0, part.height, targets, to_strides),
                 height);
    for (int y = 0; y < height; ++y) {
      uint8_t* row = &out.rgb[size_t(y) * size_t(width) * 3];
      for (int x = 0; x < width; ++x) row[x * 3 + channel] = to[size_t(y) * size_t(to_stride) + size_t(x)];
    }
  }
  return out;
}

}  // namespace mvd
