// One source, a chain of libavfilter's filters, one sink.
#pragma once

#include "mvd/media/libav.h"

extern "C" {
#include <libavfilter/avfilter.h>
}

#include <optional>
#include <string>

namespace mvd {

// What all frames that go in have in common.
struct FilterInput {
  int width = 0, height = 0;
  AVPixelFormat format = AV_PIX_FMT_NONE;
  AVRational time_base = {1, 1}, sample_aspect = {1, 1};
  bool operator==(const FilterInput&) const;
};

// Runs in the caller's thread.
class FilterGraph {
 public:
  // `filters` as FFmpeg's -vf takes them. Here and below Error(kBadInput), "<name>: <failure>: <FFmpeg's
  // reason>", where a filter is not there or refuses its input.
  FilterGraph(const FilterInput& input, const std::string& filters, std::string name, std::string failure);

  // Takes the frame's reference and leaves it empty; null ends the input.
  void Push(AVFrame* frame);
  // Into an empty frame. False: the graph wants more frames; at_end() after that: there will be none.
  bool Pull(AVFrame& frame);
  bool at_end() const { return at_end_; }
  AVRational time_base() const;  // of the frames that come out

 private:
  std::string name_, failure_;
  std::unique_ptr<AVFilterGraph, AvFree<avfilter_graph_free>> graph_;
  AVFilterContext *source_ = nullptr, *sink_ = nullptr;
  bool at_end_ = false;
};

}  // namespace mvd
