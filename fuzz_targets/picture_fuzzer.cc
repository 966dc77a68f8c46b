// Any bytes as a picture (PNG, JPEG, WebP, PPM): an Error of one line, or as many pixels as its size says.
#include "fuzz_targets/fuzzing.h"
#include "mvd/media/image.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  mvd::BadInputAtMost([&] {
    const mvd::Image image = mvd::DecodeImage({data, size}, "fuzz");
    mvd::Require(image.width > 0 && image.height > 0);
    mvd::Require(int64_t(image.width) * image.height <= mvd::kMaxPixels);
    mvd::Require(image.rgb.size() == size_t(image.width) * size_t(image.height) * 3);
  });
  return 0;
}
