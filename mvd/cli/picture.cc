#include "mvd/cli/picture.h"

#include <algorithm>

#include "mvd/media/image.h"

namespace mvd::cli {
namespace {

// The image encoder sees the picture at this size (CLIP's 224), rounded up.
constexpr int64_t kEncoderSize = 256;

ImageSize Least(int64_t width, int64_t height) {
  return {int(std::max(width, kEncoderSize)), int(std::max(height, kEncoderSize))};
}

}  // namespace

Picture LoadPicture(const std::filesystem::path& path, int64_t width, int64_t height, Fit fit) {
  Image image = ReadImage(path, Least(width, height));
  Picture picture{FrameImage(RgbImage{std::move(image.rgb), image.width, image.height}, width, height, fit),
                  {}};
  picture.image = ToSignedUnit(LanczosResize(picture.framed.view(), width, height).view());
  return picture;
}

PictureBytes PlanPicture(const std::filesystem::path& path, int64_t width, int64_t height, Fit fit) {
  const ImagePlan plan = PlanImage(path, Least(width, height));
  const int64_t w = plan.size.width, h = plan.size.height, whole = 3 * w * h;
  const FrameSizes frame = FrameSize(w, h, width, height, fit);
  const int64_t framed = CheckedMul(3 * frame.width, frame.height);
  const bool padded = frame.width > w || frame.height > h;
  // Cut out in place; with bars it is a copy. Then the resize: its picture between both passes, and its
  // result as bytes and as floats.
  const int64_t between = 3 * std::max(frame.width * height, width * frame.height);
  const int64_t held = padded ? framed : whole, resizing = between + 15 * width * height;
  return {std::max({plan.bytes, padded ? whole + framed : whole, held + resizing}), held};
}

}  // namespace mvd::cli
