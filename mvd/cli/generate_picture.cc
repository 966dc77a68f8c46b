#include "mvd/cli/generate_picture.h"

#include <algorithm>
#include <cmath>

#include "mvd/base/atomic_file.h"
#include "mvd/base/check.h"
#include "mvd/io/content_hash.h"
#include "mvd/media/image.h"

namespace mvd::cli {
namespace {

constexpr size_t kMaxBytes = size_t(kMaxPixels) * 8;  // larger ones are no pictures

// "3:2": the simplest ratio within one percent; "1000:7" where none is simple.
std::string Shape(int64_t width, int64_t height) {
  constexpr int64_t kLargest = 21;  // 21:9
  const double ratio = double(width) / double(height);
  for (int64_t sum = 2; sum <= 2 * kLargest; ++sum) {
    const auto w = std::clamp<int64_t>(std::llround(double(sum) * ratio / (1 + ratio)), 1, sum - 1);
    const double there = double(w) / double(sum - w);
    if (w <= kLargest && sum - w <= kLargest && std::abs(there / ratio - 1) < 0.01)
      return StrCat(w, ":", sum - w);
  }
  return StrCat(width, ":", height);
}

}  // namespace

std::string CropNote(int64_t picture_width, int64_t picture_height, int64_t width, int64_t height) {
  const double picture = double(picture_width) / double(picture_height),
               clip = double(width) / double(height);
  const bool wider = picture > clip;
  const double cut = 1 - (wider ? clip / picture : picture / clip);
  const auto percent = std::lround(cut * 100);
  if (percent < 1) return "";
  return StrCat("the picture is ", Shape(picture_width, picture_height), ", the clip ", Shape(width, height),
                ": ", percent, " % of the ", wider ? "width" : "height", " is cut; --fit pad keeps all");
}

Picture LoadPicture(const std::filesystem::path& path, int64_t width, int64_t height, Fit fit) {
  const Image image = ReadImage(path);
  const RgbView view{image.rgb, image.width, image.height};
  const RgbImage framed = FrameImage(view, width, height, fit);
  const RgbImage sized = FitImage(view, width, height, fit);
  return {ToSignedUnit(framed.view()), ToSignedUnit(sized.view()),
          fit == Fit::kCrop ? CropNote(image.width, image.height, width, height) : ""};
}

std::string ImageHash(const std::filesystem::path& path) { return ContentHash(ReadFile(path, kMaxBytes)); }

}  // namespace mvd::cli
