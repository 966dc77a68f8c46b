// Sizes, and what is said where FFmpeg lacks a filter; whole films are in tests/film_test.py.
#include "mvd/media/shown_video.h"

#include "mvd/media/media_testing.h"

namespace mvd {
namespace {

TEST(ShownVideoTest, TheShortSideIsEnlarged) {
  const struct {
    AVRational aspect;
    int width, height;
  } cases[] = {
      {{0, 1}, 320, 180},  // not known
      {{1, 1}, 320, 180},      {{2, 1}, 640, 180},  {{1, 2}, 320, 360},
      {{16, 15}, 341, 180},    {{-1, 1}, 320, 180}, {{1, 2000000000}, 0, 0},  // beyond any picture
      {{2000000000, 1}, 0, 0},
  };
  for (const auto& test : cases) {
    const ShownSize size = SquarePixels(320, 180, test.aspect);
    EXPECT_EQ(size.width, test.width) << test.aspect.num << ":" << test.aspect.den;
    EXPECT_EQ(size.height, test.height) << test.aspect.num << ":" << test.aspect.den;
  }
}

TEST(ShownVideoTest, AMissingFilterIsOneLine) {
  const FilterInput input{16, 16, AV_PIX_FMT_YUV420P, {1, 25}, {1, 1}};
  ExpectError(
      Exit::kBadInput,
      "film.mp4: is interlaced, and cannot be converted: this FFmpeg has no filter 'nosuchfilter'", [&] {
        FilterGraph(input, "null,nosuchfilter=1", "film.mp4", "is interlaced, and cannot be converted");
      });
}

TEST(ShownVideoTest, AGraphGivesBackEveryFrame) {
  FilterGraph graph({8, 8, AV_PIX_FMT_RGB24, {1, 25}, {1, 1}}, "null", "film.mp4", "fails");
  const FramePtr out(av_frame_alloc());
  int64_t frames = 0;
  for (int64_t i = 0; i < 3; ++i) {
    const FramePtr frame = ToAvFrame(SmoothImage(8, 8, int(i)), 8, 8);
    frame->pts = i;
    graph.Push(frame.get());
    while (graph.Pull(*out)) {
      EXPECT_EQ(out->pts, frames++);
      av_frame_unref(out.get());
    }
    EXPECT_FALSE(graph.at_end());
  }
  graph.Push(nullptr);
  EXPECT_FALSE(graph.Pull(*out));
  EXPECT_TRUE(graph.at_end());
  EXPECT_EQ(frames, 3);
}

}  // namespace
}  // namespace mvd
