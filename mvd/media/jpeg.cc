// JPEG by libjpeg-turbo. Its errors jump; every function that calls setjmp holds nothing with a destructor.
#include <cstddef>
#include <cstdio>
// jpeglib.h needs <cstdio> before it.
#include <jerror.h>
#include <jpeglib.h>
#include <setjmp.h>

#include <utility>

#include "mvd/base/error.h"
#include "mvd/media/codecs.h"
#include "mvd/media/exif.h"

namespace mvd {
namespace {

// A progressive file may ask for the same 64 megapixels thousands of times; real ones need about ten scans.
constexpr int kMaxScans = 256;

struct JpegReader {
  jpeg_decompress_struct info{};  // first: libjpeg hands back its address
  jpeg_error_mgr errors{};
  jpeg_progress_mgr progress{};
  jmp_buf jump;
  char message[JMSG_LENGTH_MAX] = "out of memory";
  std::span<const uint8_t> bytes;

  explicit JpegReader(std::span<const uint8_t> b) : bytes(b) {}
  ~JpegReader() { jpeg_destroy_decompress(&info); }
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;
};

JpegReader& ReaderOf(j_common_ptr info) { return *static_cast<JpegReader*>(info->client_data); }

[[noreturn]] void Fail(JpegReader& r, const char* message) {
  std::snprintf(r.message, sizeof r.message, "%s", message);
  longjmp(r.jump, 1);
}

void OnError(j_common_ptr info) {
  char message[JMSG_LENGTH_MAX];
  info->err->format_message(info, message);
  Fail(ReaderOf(info), message);
}

// libjpeg fills what is missing with grey and only warns; a picture with a hole is no picture.
void OnMessage(j_common_ptr info, int level) {
  if (level >= 0) return;
  const int code = info->err->msg_code;
  if (code == JWRN_JPEG_EOF) Fail(ReaderOf(info), "the file is truncated");
  if (code == JWRN_HIT_MARKER || code == JWRN_HUFF_BAD_CODE) OnError(info);
}
void OnOutput(j_common_ptr) {}

void OnProgress(j_common_ptr info) {
  if (reinterpret_cast<j_decompress_ptr>(info)->input_scan_number > kMaxScans)
    Fail(ReaderOf(info), "too many scans");
}

bool ReadHeader(JpegReader& r) {
  r.info.err = jpeg_std_error(&r.errors);
  r.errors.error_exit = OnError;
  r.errors.emit_message = OnMessage;
  r.errors.output_message = OnOutput;
  r.info.client_data = &r;
  if (setjmp(r.jump)) return false;
  jpeg_create_decompress(&r.info);  // keeps err and client_data
  r.progress.progress_monitor = OnProgress;
  r.info.progress = &r.progress;
  jpeg_mem_src(&r.info, r.bytes.data(), r.bytes.size());
  jpeg_save_markers(&r.info, JPEG_APP0 + 1, 0xffff);
  jpeg_read_header(&r.info, TRUE);
  return true;
}

// libjpeg's scaled transform leaves out what a smaller picture does not show. The largest of 1, 2, 4, 8 by
// which both sides stay at least as long as needed; pictures of an ordinary size are read whole, as diffusers
// reads them.
int Reduction(const JpegReader& r, ImageSize least, int orientation) {
  const int64_t width = r.info.image_width, height = r.info.image_height;
  if (width * height <= kWholePixels || least.width <= 0 || least.height <= 0) return 1;
  if (orientation >= 5 && orientation <= 8) std::swap(least.width, least.height);
  int by = 1;
  while (by < 8 && width / (2 * by) >= least.width && height / (2 * by) >= least.height) by *= 2;
  return by;
}

// Fills output_width and output_height too.
bool Reduce(JpegReader& r, int by) {
  if (setjmp(r.jump)) return false;
  r.info.scale_num = 1;
  r.info.scale_denom = unsigned(by);
  jpeg_calc_output_dimensions(&r.info);
  return true;
}

// A file of several scans is held as coefficients until its last.
int64_t CoefficientBytes(JpegReader& r) {
  if (!jpeg_has_multiple_scans(&r.info)) return 0;
  int64_t blocks = 0;
  for (int i = 0; i < r.info.num_components; ++i) {
    const jpeg_component_info& component = r.info.comp_info[i];
    // Whole macroblocks are held.
    const int64_t h = component.h_samp_factor, v = component.v_samp_factor;
    blocks += (component.width_in_blocks + h - 1) / h * h * ((component.height_in_blocks + v - 1) / v * v);
  }
  return blocks * int64_t(sizeof(JBLOCK));
}

bool Start(JpegReader& r) {
  if (setjmp(r.jump)) return false;
  const bool cmyk = r.info.jpeg_color_space == JCS_CMYK || r.info.jpeg_color_space == JCS_YCCK;
  r.info.out_color_space = cmyk ? JCS_CMYK : JCS_RGB;
  jpeg_start_decompress(&r.info);
  return true;
}

// `row` holds one row of the output's components; `inverted` is Adobe's habit of storing 255 minus ink.
void CmykToRgb(const uint8_t* row, int width, bool inverted, uint8_t* rgb) {
  for (int x = 0; x < width; ++x, row += 4) {
    for (int c = 0; c < 3; ++c) {
      const int paper = inverted ? row[c] : 255 - row[c];
      const int light = inverted ? row[3] : 255 - row[3];
      *rgb++ = uint8_t((paper * light + 127) / 255);
    }
  }
}

bool ReadRows(JpegReader& r, uint8_t* rgb, uint8_t* cmyk_row) {
  if (setjmp(r.jump)) return false;
  const size_t stride = size_t(r.info.output_width) * 3;
  while (r.info.output_scanline < r.info.output_height) {
    uint8_t* to = rgb + stride * r.info.output_scanline;
    JSAMPROW row = cmyk_row ? cmyk_row : to;
    if (jpeg_read_scanlines(&r.info, &row, 1) != 1) continue;
    if (cmyk_row) CmykToRgb(cmyk_row, int(r.info.output_width), r.info.saw_Adobe_marker, to);
  }
  jpeg_finish_decompress(&r.info);
  return true;
}

[[noreturn]] void ThrowJpeg(const JpegReader& r, const std::string& name) {
  ThrowBadInput(name, "damaged or unsupported JPEG picture: ", r.message);
}

int OrientationOf(const JpegReader& r) {
  for (auto* marker = r.info.marker_list; marker; marker = marker->next) {
    const bool exif = marker->data_length > 6 && marker->data[0] == 'E' && marker->data[1] == 'x';
    if (exif) return ExifOrientation({marker->data, marker->data_length});
  }
  return 1;
}

}  // namespace

ImagePlan PlanJpeg(std::span<const uint8_t> bytes, const std::string& name, ImageSize least) {
  JpegReader r(bytes);
  if (!ReadHeader(r)) ThrowJpeg(r, name);
  CheckImageSize(r.info.image_width, r.info.image_height, name);
  const int orientation = OrientationOf(r);
  const ImageSize stored = PlanWhole(int(r.info.image_width), int(r.info.image_height), orientation, 0).size;
  if (!Reduce(r, Reduction(r, least, orientation))) ThrowJpeg(r, name);
  // Beside the coefficients libjpeg holds some rows of each component.
  const int64_t rows = int64_t(r.info.image_width) * 16 * 3 * 8 + (1 << 20);
  ImagePlan plan =
      PlanWhole(int(r.info.output_width), int(r.info.output_height), orientation, CoefficientBytes(r) + rows);
  plan.stored = stored;
  return plan;
}

Image DecodeJpeg(std::span<const uint8_t> bytes, const std::string& name, ImageSize least) {
  JpegReader r(bytes);
  if (!ReadHeader(r)) ThrowJpeg(r, name);
  CheckImageSize(r.info.image_width, r.info.image_height, name);
  const int orientation = OrientationOf(r);  // the markers go with the end of decompression
  if (!Reduce(r, Reduction(r, least, orientation))) ThrowJpeg(r, name);
  Image image = AllocateImage(r.info.output_width, r.info.output_height, name);
  if (!Start(r)) ThrowJpeg(r, name);
  std::vector<uint8_t> cmyk_row;
  if (r.info.out_color_space == JCS_CMYK) cmyk_row.resize(size_t(image.width) * 4);
  if (!ReadRows(r, image.rgb.data(), cmyk_row.empty() ? nullptr : cmyk_row.data())) ThrowJpeg(r, name);
  return Orient(std::move(image), orientation);
}

}  // namespace mvd
