// Pictures on their way into the model: to the clip's size as Pillow resizes (diffusers' default), and to the
// CLIP encoder's size as SVD's anti-aliased resize does.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "mvd/base/tensor.h"

namespace mvd {

inline constexpr int64_t kRgbChannels = 3;

// Borrowed 8-bit RGB, rows from the top, no gaps: pixels.size() == width * height * 3.
struct RgbView {
  std::span<const uint8_t> pixels;
  int64_t width = 0;
  int64_t height = 0;
};

struct RgbImage {
  std::vector<uint8_t> pixels;
  int64_t width = 0;
  int64_t height = 0;
  RgbView view() const { return {pixels, width, height}; }
};

// Lanczos-3, widened when shrinking, two passes, 8-bit intermediate: equal to the bit to Pillow 13's
// Image.resize((width, height), LANCZOS). Sizes are at least 1.
RgbImage LanczosResize(const RgbView& image, int64_t width, int64_t height);

// How a picture of another aspect ratio becomes width x height.
enum class Fit { kCrop, kStretch, kPad };
std::string_view Name(Fit fit);  // "crop", "stretch", "pad": the command line's spelling
std::optional<Fit> ParseFit(std::string_view name);

// The first half of FitImage: the picture at its own resolution with the aspect ratio of width x height (to
// the nearest pixel), by cutting its centre out or adding black bars; kStretch returns it as it is. This is
// what the CLIP encoder sees.
RgbImage FrameImage(const RgbView& image, int64_t width, int64_t height, Fit fit);
// The same of a picture that is not needed any more: cut out in place, so that there are never two of it.
RgbImage FrameImage(RgbImage image, int64_t width, int64_t height, Fit fit);

// The size of what FrameImage makes of a picture of image_width x image_height.
struct FrameSizes {
  int64_t width = 0, height = 0;
};
FrameSizes FrameSize(int64_t image_width, int64_t image_height, int64_t width, int64_t height, Fit fit);

// FrameImage, then LanczosResize. kStretch is what diffusers does.
RgbImage FitImage(const RgbView& image, int64_t width, int64_t height, Fit fit);

// An 8-bit value in [-1,1].
inline float SignedUnit(uint8_t value) { return float(value) / 255.0f * 2.0f - 1.0f; }
// (H,W,3) u8 -> (1,H,W,3) f32 in [-1,1].
Tensor ToSignedUnit(const RgbView& image);

// (1,H,W,C), f32 -> (1,height,width,C): each pixel the mean over its part of the picture, whole pixels and
// parts of them.
Tensor AreaResize(const TensorView& image, int64_t height, int64_t width);

// Defaults: the statistics CLIP was trained with (arXiv 2103.00020).
struct ClipPreprocessing {
  int64_t size = 224;
  std::array<double, 3> mean = {0.48145466, 0.4578275, 0.40821073};
  std::array<double, 3> stddev = {0.26862954, 0.26130258, 0.27577711};
};

// (N,H,W,3), f32 in [-1,1] or u8 -> (N,size,size,3), CLIP-normalised. Holds little beside its result:
// pictures may be large. Each axis is blurred with a Gaussian of sigma = max((in/size - 1)/2, 0.001) under
// reflected borders and then sampled bicubically (a = -0.75, corners aligned). What bicubic overshoots is
// kept.
Tensor ClipPixels(const TensorView& image, const ClipPreprocessing& options = {});

}  // namespace mvd
