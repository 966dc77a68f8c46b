#include "mvd/cli/picture.h"

#include <algorithm>
#include <cmath>

#include "mvd/base/atomic_file.h"
#include "mvd/base/check.h"
#include "mvd/io/content_hash.h"
#include "mvd/media/image.h"

namespace mvd::cli {
namespace {

// The image encoder sees the picture at this size (CLIP's 224), rounded up.
constexpr int64_t kEncoderSize = 256;

ImageSize Least(int64_t width, int64_t height) {
  return {int(std::max(width, kEncoderSize)), int(std::max(height, kEncoderSize))};
}

// "3:2": the simplest ratio within one percent; "1000:7" where none is simple.
std::string Ratio(int64_t width, int64_t height) {
  constexpr int64_t kLargest = 21;  // 21:9
  const double exact = double(width) / double(height);
  for (int64_t sum = 2; sum <= 2 * kLargest; ++sum) {
    const auto w = std::clamp<int64_t>(std::llround(double(sum) * exact / (1 + exact)), 1, sum - 1);
    const double there = double(w) / double(sum - w);
    if (w <= kLargest && sum - w <= kLargest && std::abs(there / exact - 1) < 0.01)
      return StrCat(w, ":", sum - w);
  }
  return StrCat(width, ":", height);
}

}  // namespace

Picture LoadPicture(const std::filesystem::path& path, const SvdOptions& o, Fit fit, bool with_frame) {
  const int64_t width = o.FrameWidth(), height = o.FrameHeight();
  Image image = ReadImage(path, Least(width, height));
  Picture picture{
      FrameImage(RgbImage{std::move(image.rgb), image.width, image.height}, width, height, fit), {}, {}};
  const auto resized = [&](int64_t w, int64_t h) {
    return ToSignedUnit(LanczosResize(picture.framed.view(), w, h).view());
  };
  if (with_frame) picture.frame = resized(width, height);
  picture.image = resized(o.width, o.height);
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

std::string CropNote(int64_t picture_width, int64_t picture_height, int64_t width, int64_t height) {
  const double picture = double(picture_width) / double(picture_height),
               clip = double(width) / double(height);
  const bool wider = picture > clip;
  const double cut = 1 - (wider ? clip / picture : picture / clip);
  const auto percent = std::lround(cut * 100);
  if (percent < 1) return "";
  return StrCat("the picture is ", Ratio(picture_width, picture_height), ", the clip ", Ratio(width, height),
                ": ", percent, " % of the ", wider ? "width" : "height", " is cut; --fit pad keeps all");
}

std::string CropNote(const std::filesystem::path& path, int64_t width, int64_t height, Fit fit) {
  if (fit != Fit::kCrop) return "";
  const ImageSize size = PlanImage(path).stored;
  return CropNote(size.width, size.height, width, height);
}

std::string ImageHash(const std::filesystem::path& path) {
  constexpr size_t kMaxBytes = size_t(kMaxPixels) * 8;  // larger ones are no pictures
  return ContentHash(ReadFile(path, kMaxBytes));
}

}  // namespace mvd::cli
