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

  double fps() const;                      // mean rate, 0 where not known
  double time_base() const;                // seconds a tick of a frame's timestamp
  int rotation() const;                    // clockwise degrees to turn a frame for display: 0, 90, 180 or 270
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
