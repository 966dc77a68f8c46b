// FFmpeg's handles as owners, its errors as Error, and the pixel conversions both directions share.
#pragma once

#include <cstdint>  // FFmpeg's headers need UINT64_C

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/dict.h>
#include <libavutil/frame.h>
#include <libswscale/swscale.h>
}

#include <memory>
#include <string>

#include "mvd/media/image.h"

namespace mvd {

template <auto kFree>
struct AvFree {
  template <class T>
  void operator()(T* p) const {
    kFree(&p);
  }
};
using FramePtr = std::unique_ptr<AVFrame, AvFree<av_frame_free>>;
using PacketPtr = std::unique_ptr<AVPacket, AvFree<av_packet_free>>;
using CodecPtr = std::unique_ptr<AVCodecContext, AvFree<avcodec_free_context>>;

// FFmpeg prints through one callback of the process; a library must not print.
void SilenceLibav();

// Returns `code`, or throws Error(kBadInput): "<name>: <what>: <FFmpeg's reason>" where it is negative.
int CheckAv(int code, const std::string& name, const char* what);

// The same for what writes to a file: where the system refused, as ThrowUnwritable.
void CheckAvWrite(int code, const std::string& name);

// For what only fails without memory.
template <class T>
T* CheckAlloc(T* p) {
  if (!p) throw std::bad_alloc();
  return p;
}

// A dictionary that FFmpeg's open functions take and change.
struct AvOptions {
  AVDictionary* dict = nullptr;
  AvOptions() = default;
  ~AvOptions() { av_dict_free(&dict); }
  AvOptions(const AvOptions&) = delete;
  AvOptions& operator=(const AvOptions&) = delete;
  void Set(const char* key, const char* value) { av_dict_set(&dict, key, value, 0); }
};

// The picture in FFmpeg's padded rows, as RGB24; where `width` x `height` is larger, the last column and row
// are repeated.
FramePtr ToAvFrame(const Image& image, int width, int height);

// Converts between RGB24 and video formats; the context is kept from frame to frame.
class PixelConverter {
 public:
  PixelConverter() = default;
  ~PixelConverter() { sws_freeContext(context_); }
  PixelConverter(const PixelConverter&) = delete;
  PixelConverter& operator=(const PixelConverter&) = delete;

  // A new frame of `format`, studio range, with the matrix `space` (an AVColorSpace), from an RGB24 one.
  FramePtr FromRgb(const AVFrame& rgb, AVPixelFormat format, AVColorSpace space);
  // The picture of a decoded frame, scaled to width x height, by its own matrix and range (BT.601, studio
  // range where it names none, as FFmpeg's and OpenCV's readers take it). Alpha is dropped.
  Image ToRgb(const AVFrame& frame, int width, int height, const std::string& name);

 private:
  FramePtr Convert(const AVFrame& from, int width, int height, AVPixelFormat format, AVColorSpace from_space,
                   bool from_full, AVColorSpace to_space, bool to_full);
  SwsContext* context_ = nullptr;
};

}  // namespace mvd
