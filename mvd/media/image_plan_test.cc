// What reading a picture takes, and large JPEGs read at a fraction of their size.
#include <cstdio>
#include <cstdlib>
// jpeglib.h needs <cstdio> before it.
#include <jpeglib.h>

#include "mvd/base/atomic_file.h"
#include "mvd/media/media_testing.h"

namespace mvd {
namespace {

// A flat grey JPEG of any size: rows are all alike.
std::string FlatJpeg(int width, int height, bool progressive) {
  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* out = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &out, &size);
  info.image_width = JDIMENSION(width);
  info.image_height = JDIMENSION(height);
  info.input_components = 3;
  info.in_color_space = JCS_RGB;
  jpeg_set_defaults(&info);
  if (progressive) jpeg_simple_progression(&info);
  jpeg_start_compress(&info, TRUE);
  std::vector<uint8_t> line(size_t(width) * 3, 100);
  JSAMPROW row = line.data();
  while (info.next_scanline < info.image_height) jpeg_write_scanlines(&info, &row, 1);
  jpeg_finish_compress(&info);
  jpeg_destroy_compress(&info);
  std::string file(reinterpret_cast<char*>(out), size);
  std::free(out);
  return file;
}

class ImagePlanTest : public ScratchTest {};

TEST_F(ImagePlanTest, ALargeJpegIsReadAtTheSizeThatIsNeeded) {
  WriteFile(File("large.jpg"), FlatJpeg(8000, 3200, false));
  const auto path = File("large.jpg");
  const struct {
    ImageSize least;
    int by;
  } cases[] = {{{}, 1},          {{8000, 8}, 1},   {{4001, 100}, 1}, {{4000, 1600}, 2},
               {{2000, 800}, 4}, {{2000, 801}, 2}, {{512, 320}, 8},  {{1, 1}, 8}};
  for (const auto& c : cases) {
    const ImagePlan plan = PlanImage(path, c.least);
    EXPECT_EQ(plan.size.width, 8000 / c.by);
    EXPECT_EQ(plan.size.height, 3200 / c.by);
    EXPECT_EQ(plan.stored.width, 8000);
    EXPECT_GE(plan.bytes, int64_t(plan.size.width) * plan.size.height * 3);
    if (c.by < 4) continue;  // the others take long
    const Image image = ReadImage(path, c.least);
    EXPECT_EQ(image.width, plan.size.width);
    EXPECT_EQ(image.height, plan.size.height);
    for (size_t i = 0; i < image.rgb.size(); i += 1001) ASSERT_NEAR(image.rgb[i], 100, 2);
  }
}

TEST_F(ImagePlanTest, AnOrdinaryPictureIsReadWhole) {
  WriteFile(File("a.jpg"), FlatJpeg(1000, 800, false));
  EXPECT_EQ(PlanImage(File("a.jpg"), {100, 80}).size.width, 1000);
  EXPECT_EQ(ReadImage(File("a.jpg"), {100, 80}).rgb, ReadImage(File("a.jpg")).rgb);
  const Image smooth = SmoothImage(300, 200);
  WritePng(File("a.png"), smooth);
  EXPECT_EQ(ReadImage(File("a.png"), {8, 8}).rgb, smooth.rgb);
  const ImagePlan plan = PlanImage(File("a.png"), {8, 8});
  EXPECT_EQ(plan.size.width, 300);
  EXPECT_EQ(plan.size.height, 200);
  EXPECT_GE(plan.bytes, 300 * 200 * 3);
}

// All of its coefficients are held until the last scan, however small the picture that is asked for.
TEST_F(ImagePlanTest, AProgressiveJpegHoldsItsCoefficients) {
  WriteFile(File("a.jpg"), FlatJpeg(1000, 800, false));
  WriteFile(File("b.jpg"), FlatJpeg(1000, 800, true));
  EXPECT_GE(PlanImage(File("b.jpg")).bytes - PlanImage(File("a.jpg")).bytes,
            1000 * 800 * 3 / 2 * 2 - (1 << 20));
}

TEST_F(ImagePlanTest, DamagedFilesFailAsWhenRead) {
  WriteFile(File("a.png"), "\x89PNG\r\n\x1a\nrubbish");
  ExpectError(Exit::kBadInput, "a.png", [&] { PlanImage(File("a.png")); });
  ExpectError(Exit::kNotFound, "no.png", [&] { PlanImage(File("no.png")); });
}

}  // namespace
}  // namespace mvd
