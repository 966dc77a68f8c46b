#include "mvd/engine/clip_size.h"

#include <algorithm>
#include <cmath>

namespace mvd {
namespace {

// A panorama's network sees no more than this times its height: training shows nothing longer.
constexpr double kMostAspect = 3;

int64_t RoundTo(double size, int64_t multiple) {
  return std::max<int64_t>(1, std::llround(size / double(multiple))) * multiple;
}

// The sides of `aspect` (width over height) with this short side, the long one a multiple of `multiple`.
FrameSides OfAspect(double aspect, int64_t short_side, int64_t multiple) {
  if (aspect >= 1) return {short_side, RoundTo(double(short_side) * aspect, multiple)};
  return {RoundTo(double(short_side) / aspect, multiple), short_side};
}

}  // namespace

bool MovesPicture(const Model& model) {
  return !model.Has("vae_decoder") && model.Has("taesd_decoder") && model.configs().taesd.motion_channels > 0;
}

FrameSides DefaultFrameSize(const Model& model, int64_t picture_height, int64_t picture_width) {
  constexpr int64_t kEven = 2;  // what most video formats need
  const int64_t own = std::min(picture_height, picture_width);
  const int64_t short_side =
      std::max<int64_t>(std::min(own, model.defaults().short_side) / kEven * kEven, kEven);
  FrameSides sides = OfAspect(double(picture_width) / double(picture_height), short_side, kEven);
  // Rounded, the long side could be a pixel longer than the picture's.
  sides.height -= sides.height > picture_height ? kEven : 0,
      sides.width -= sides.width > picture_width ? kEven : 0;
  return sides;
}

FrameSides NetworkSize(const Model& model, FrameSides frames) {
  if (!MovesPicture(model)) return frames;
  const int64_t short_side = std::min(model.defaults().height, model.defaults().width);
  const double aspect = double(frames.width) / double(frames.height);
  return OfAspect(std::clamp(aspect, 1 / kMostAspect, kMostAspect), short_side,
                  PixelsPerLatent(model.configs(), "taesd_decoder"));
}

}  // namespace mvd
