// One video stream in one container: encodes frames and writes them to a file, by libav.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "mvd/media/libav.h"

namespace mvd {

struct VideoSettings {
  const char* container;  // libav's muxer
  const char* encoder;    // libav's encoder
  AVPixelFormat format;
  std::vector<std::pair<const char*, const char*>> encoder_options;
  std::vector<std::pair<const char*, const char*>> container_options;
};

// The same frames give the same bytes: one thread, no dates, no random identifiers.
class VideoFile {
 public:
  // `tick` is the unit of the frames' pts, in seconds; `name` is the target, for messages.
  VideoFile(const VideoSettings& settings, int width, int height, AVRational tick, AVRational fps,
            const std::string& recipe, const std::filesystem::path& file, std::string name);

  // Encodes one frame; pts in ticks, rising.
  void Add(const AVFrame& frame) { Encode(&frame); }
  // Drains the encoder, ends the container and closes the file.
  void Finish();

 private:
  struct CloseMuxer {
    void operator()(AVFormatContext* muxer) const;
  };
  void OpenEncoder(const VideoSettings& settings, int width, int height, AVRational tick, AVRational fps);
  void Encode(const AVFrame* frame);

  std::string name_;
  std::unique_ptr<AVFormatContext, CloseMuxer> muxer_;
  CodecPtr encoder_;
  PacketPtr packet_;
  int64_t ticks_per_frame_ = 1;
};

}  // namespace mvd
