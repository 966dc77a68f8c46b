// What the tests of this folder share: a scratch folder, smooth pictures, expected errors.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <string>

#include "mvd/base/error.h"
#include "mvd/media/clip.h"

namespace mvd {

// A folder of one test, removed with it.
class ScratchTest : public testing::Test {
 protected:
  ScratchTest() {
    const auto* info = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = std::filesystem::path(testing::TempDir()) /
              (std::string("mvd_media_") + info->test_suite_name() + "_" + info->name());
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  ~ScratchTest() override { std::filesystem::remove_all(folder_); }
  std::filesystem::path File(const std::string& name) const { return folder_ / name; }
  bool Empty() const { return std::filesystem::is_empty(folder_); }

  std::filesystem::path folder_;
};

// Slow waves of colour that move with `t`.
inline Image SmoothImage(int width, int height, int t = 0) {
  Image image{width, height, {}};
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      for (int c = 0; c < 3; ++c) {
        const double phase = 0.05 * (x + 2 * t) + 0.04 * y + c;
        image.rgb.push_back(uint8_t(std::lround(127.5 + 100 * std::sin(phase))));
      }
    }
  }
  return image;
}

inline Clip SmoothClip(int width, int height, int frames = 14, double fps = 7) {
  Clip clip{width, height, fps, {}};
  for (int t = 0; t < frames; ++t) clip.frames.push_back(SmoothImage(width, height, t));
  return clip;
}

// Peak signal to noise ratio in dB over the size of `want`, which may be smaller (padding).
inline double Psnr(const Image& want, const Image& got) {
  double squares = 0;
  for (int y = 0; y < want.height; ++y) {
    for (int i = 0; i < want.width * 3; ++i) {
      const double d =
          double(want.rgb[size_t(y * want.width * 3 + i)]) - double(got.rgb[size_t(y * got.width * 3 + i)]);
      squares += d * d;
    }
  }
  return 10 * std::log10(255.0 * 255.0 * double(want.rgb.size()) / std::max(squares, 1e-9));
}

// Runs `body`, which must throw Error with this exit code and one line that names `part`.
template <class Body>
void ExpectError(Exit exit, const std::string& part, Body body) {
  try {
    body();
    ADD_FAILURE() << "no error, expected one about '" << part << "'";
  } catch (const Error& error) {
    const std::string what = error.what();
    EXPECT_EQ(int(error.exit()), int(exit)) << what;
    EXPECT_NE(what.find(part), std::string::npos) << what;
    EXPECT_EQ(what.find('\n'), std::string::npos) << what;
  }
}

}  // namespace mvd
