// JPEG by libjpeg-turbo. Its errors jump; every function that calls setjmp holds nothing with a destructor.
#include <cstddef>
#include <cstdio>
// jpeglib.h needs <cstdio> before it.
#include <jerror.h>
#include <jpeglib.h>
#include <setjmp.h>

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

Image DecodeJpeg(std::span<const uint8_t> bytes, const std::string& name) {
  JpegReader r(bytes);
  if (!ReadHeader(r)) ThrowJpeg(r, name);
  Image image = AllocateImage(r.info.image_width, r.info.image_height, name);
  const int orientation = OrientationOf(r);  // the markers go with the end of decompression
  if (!Start(r)) ThrowJpeg(r, name);
  std::vector<uint8_t> cmyk_row;
  if (r.info.out_color_space == JCS_CMYK) cmyk_row.resize(size_t(image.width) * 4);
  if (!ReadRows(r, image.rgb.data(), cmyk_row.empty() ? nullptr : cmyk_row.data())) ThrowJpeg(r, name);
  return Orient(std::move(image), orientation);
}

}  // namespace mvd
