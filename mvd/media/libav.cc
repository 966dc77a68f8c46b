#include "mvd/media/libav.h"

extern "C" {
#include <libavutil/error.h>
#include <libavutil/log.h>
}

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "mvd/base/file_error.h"
#include "mvd/media/clip_files.h"

namespace mvd {

bool HasCodecs() { return true; }

void SilenceLibav() {
  av_log_set_callback([](void*, int, const char*, va_list) {});
}

int CheckAv(int code, const std::string& name, const char* what) {
  if (code >= 0) return code;
  if (code == AVERROR(ENOMEM)) throw std::bad_alloc();
  char reason[AV_ERROR_MAX_STRING_SIZE] = "";
  av_strerror(code, reason, sizeof reason);
  ThrowBadInput(name, what, ": ", reason);
}

void CheckAvWrite(int code, const std::string& name) {
  if (code < 0 && code != AVERROR(ENOMEM) && AVUNERROR(code) < 4096) ThrowUnwritable(name, AVUNERROR(code));
  CheckAv(code, name, "cannot be written");
}

namespace {

FramePtr NewFrame(int width, int height, AVPixelFormat format) {
  FramePtr frame(CheckAlloc(av_frame_alloc()));
  frame->width = width;
  frame->height = height;
  frame->format = format;
  if (av_frame_get_buffer(frame.get(), 0) < 0) throw std::bad_alloc();
  // Scalers and encoders look at the padding of rows: without this the bytes of a file would vary.
  for (const AVBufferRef* buffer : frame->buf) {
    if (buffer) std::memset(buffer->data, 0, buffer->size);
  }
  return frame;
}

// The old formats whose name alone says so.
bool IsFullRange(AVPixelFormat format) {
  return format == AV_PIX_FMT_YUVJ420P || format == AV_PIX_FMT_YUVJ422P || format == AV_PIX_FMT_YUVJ444P ||
         format == AV_PIX_FMT_YUVJ440P || format == AV_PIX_FMT_YUVJ411P;
}

}  // namespace

FramePtr ToAvFrame(const Image& image, int width, int height) {
  FramePtr frame = NewFrame(width, height, AV_PIX_FMT_RGB24);
  for (int y = 0; y < height; ++y) {
    const uint8_t* from = &image.rgb[size_t(std::min(y, image.height - 1)) * size_t(image.width) * 3];
    uint8_t* to = frame->data[0] + ptrdiff_t(y) * frame->linesize[0];
    std::memcpy(to, from, size_t(image.width) * 3);
    for (int x = image.width; x < width; ++x) std::memcpy(to + x * 3, to + (image.width - 1) * 3, 3);
  }
  return frame;
}

FramePtr PixelConverter::Convert(const AVFrame& from, int width, int height, AVPixelFormat format,
                                 AVColorSpace from_space, bool from_full, AVColorSpace to_space,
                                 bool to_full) {
  // Exact rounding and full chroma filters: the same bytes on every processor, and no bleeding edges.
  constexpr int kFlags =
      SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT | SWS_FULL_CHR_H_INP | SWS_BITEXACT;
  context_ = CheckAlloc(sws_getCachedContext(context_, from.width, from.height, AVPixelFormat(from.format),
                                             width, height, format, kFlags, nullptr, nullptr, nullptr));
  sws_setColorspaceDetails(context_, sws_getCoefficients(from_space), from_full,
                           sws_getCoefficients(to_space), to_full, 0, 1 << 16, 1 << 16);
  FramePtr to = NewFrame(width, height, format);
  MVD_CHECK_EQ(sws_scale(context_, from.data, from.linesize, 0, from.height, to->data, to->linesize), height);
  return to;
}

FramePtr PixelConverter::FromRgb(const AVFrame& rgb, AVPixelFormat format, AVColorSpace space) {
  FramePtr frame = Convert(rgb, rgb.width, rgb.height, format, AVCOL_SPC_RGB, true, space, false);
  frame->colorspace = space;
  frame->color_range = AVCOL_RANGE_MPEG;
  return frame;
}

Image PixelConverter::ToRgb(const AVFrame& frame, int width, int height, const std::string& name) {
  Image image = AllocateImage(uint64_t(width), uint64_t(height), name);
  if (!sws_isSupportedInput(AVPixelFormat(frame.format)))
    ThrowBadInput(name, "its pixel format is not supported");
  const bool full = frame.color_range == AVCOL_RANGE_JPEG || IsFullRange(AVPixelFormat(frame.format));
  const FramePtr rgb =
      Convert(frame, width, height, AV_PIX_FMT_RGB24, frame.colorspace, full, AVCOL_SPC_RGB, true);
  const size_t stride = size_t(width) * 3;
  for (int y = 0; y < height; ++y) {
    std::memcpy(&image.rgb[size_t(y) * stride], rgb->data[0] + ptrdiff_t(y) * rgb->linesize[0], stride);
  }
  return image;
}

}  // namespace mvd
