#include "mvd/media/filter_graph.h"

extern "C" {
#include <libavfilter/buffersink.h>
#include <libavfilter/buffersrc.h>
#include <libavutil/pixdesc.h>
}

#include <algorithm>
#include <cstdio>
#include <string_view>

#include "mvd/base/error.h"

namespace mvd {
namespace {

bool Same(AVRational a, AVRational b) { return a.num == b.num && a.den == b.den; }

// Of "[a]split=2[b];[b]null,scale=8:8" split, null and scale. FFmpeg itself calls an unknown one an invalid
// argument.
void CheckFilters(std::string_view filters, const std::string& name, const std::string& failure) {
  while (!filters.empty()) {
    const size_t end = std::min(filters.find_first_of(",;"), filters.size());
    std::string_view filter = filters.substr(0, end);
    filters.remove_prefix(std::min(end + 1, filters.size()));
    while (filter.starts_with('[')) filter.remove_prefix(std::min(filter.find(']'), filter.size() - 1) + 1);
    const std::string word(filter.substr(0, filter.find_first_of("=[@")));
    if (!avfilter_get_by_name(word.c_str()))
      ThrowBadInput(name, failure, ": this FFmpeg has no filter '", word, "'");
  }
}

}  // namespace

bool FilterInput::operator==(const FilterInput& o) const {
  return width == o.width && height == o.height && format == o.format && Same(time_base, o.time_base) &&
         Same(sample_aspect, o.sample_aspect);
}

FilterGraph::FilterGraph(const FilterInput& input, const std::string& filters, std::string name,
                         std::string failure)
    : name_(std::move(name)), failure_(std::move(failure)), graph_(CheckAlloc(avfilter_graph_alloc())) {
  CheckFilters(filters, name_, failure_);
  graph_->nb_threads = 1;
  char source[240];
  std::snprintf(source, sizeof source,
                "buffer@in=video_size=%dx%d:pix_fmt=%s:time_base=%d/%d:pixel_aspect=%d/%d,", input.width,
                input.height, av_get_pix_fmt_name(input.format), input.time_base.num, input.time_base.den,
                input.sample_aspect.num, input.sample_aspect.den);
  const std::string text = source + filters + ",buffersink@out";
  AVFilterInOut *inputs = nullptr, *outputs = nullptr;
  const int code = avfilter_graph_parse2(graph_.get(), text.c_str(), &inputs, &outputs);
  avfilter_inout_free(&inputs);
  avfilter_inout_free(&outputs);
  CheckAv(code, name_, failure_.c_str());
  CheckAv(avfilter_graph_config(graph_.get(), nullptr), name_, failure_.c_str());
  source_ = avfilter_graph_get_filter(graph_.get(), "buffer@in");
  sink_ = avfilter_graph_get_filter(graph_.get(), "buffersink@out");
  MVD_CHECK(source_ && sink_);
}

void FilterGraph::Push(AVFrame* frame) {
  CheckAv(av_buffersrc_add_frame(source_, frame), name_, failure_.c_str());
}

bool FilterGraph::Pull(AVFrame& frame) {
  const int code = av_buffersink_get_frame(sink_, &frame);
  if (code == AVERROR(EAGAIN)) return false;
  if (code == AVERROR_EOF) {
    at_end_ = true;
    return false;
  }
  CheckAv(code, name_, failure_.c_str());
  return true;
}

AVRational FilterGraph::time_base() const { return av_buffersink_get_time_base(sink_); }

}  // namespace mvd
