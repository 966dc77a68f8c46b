// The first video stream of one file, demuxed and decoded by libav under limits.
#pragma once

#include <filesystem>
#include <string>

#include "mvd/media/clip.h"
#include "mvd/media/libav.h"

namespace mvd {

// Only formats and codecs of a short list are tried, and no other file or address is ever opened (playlists
// and reference movies would ask for them). Throws Error(kBadInput) for anything damaged, truncated or
// foreign.
class VideoInput {
 public:
  explicit VideoInput(const std::filesystem::path& path);

  double fps() const;                                          // mean rate, 0 where not known
  AVRational time_base() const { return stream_->time_base; }  // of frames' timestamps, seconds
  // How stored frames are turned and mirrored for display, 1 to 8 as EXIF counts; 0 for any other angle.
  int Orientation() const;
  // Width : height of a pixel, of this frame or of all; 0 where not known.
  AVRational SampleAspect(AVFrame* frame = nullptr) const;
  std::string Tag(const char* key) const;  // of the container, any case; empty where absent
  // Decodes the next frame into an empty one; false at the end.
  bool Next(AVFrame& frame);
  // Counts the packets that are left: call it on a fresh input.
  ClipInfo Probe();

 private:
  struct CloseInput {
    void operator()(AVFormatContext* input) const;
  };
  void Open(const std::filesystem::path& path);
  void OpenDecoder();
  void CheckComplete(const std::filesystem::path& path) const;
  bool ReadPacket();  // of our stream; false at the end

  std::string name_;
  std::unique_ptr<AVFormatContext, CloseInput> input_;
  AVStream* stream_ = nullptr;
  CodecPtr decoder_;
  PacketPtr packet_;
  bool drained_ = false;
};

}  // namespace mvd
