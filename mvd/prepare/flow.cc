#include "mvd/prepare/flow.h"

#include <algorithm>
#include <cmath>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>
#include <opencv2/video/tracking.hpp>

#include "mvd/base/check.h"

namespace mvd {
namespace {

constexpr int kLongestSide = 256;
constexpr int kShortestSide = 32;  // smaller pictures leave dense inverse search no pyramid

// Grey, at the size at which flow is sought.
cv::Mat Small(const Image& image) {
  // OpenCV takes no const data, and does not write here.
  const cv::Mat rgb(image.height, image.width, CV_8UC3, const_cast<uint8_t*>(image.rgb.data()));
  cv::Mat grey, small;
  cv::cvtColor(rgb, grey, cv::COLOR_RGB2GRAY);
  const double scale = double(kLongestSide) / std::max(image.width, image.height);
  const auto side = [scale](int size) {
    return std::max(kShortestSide, int(std::lround(size * std::min(1.0, scale))));
  };
  const cv::Size target(side(image.width), side(image.height));
  const bool shrinks = target.width < image.width && target.height < image.height;
  cv::resize(grey, small, target, 0, 0, shrinks ? cv::INTER_AREA : cv::INTER_LINEAR);
  return small;
}

double MeanLength(const cv::Mat& flow, double scale_x, double scale_y) {
  double sum = 0;
  for (int y = 0; y < flow.rows; ++y) {
    const auto* row = flow.ptr<cv::Vec2f>(y);
    for (int x = 0; x < flow.cols; ++x) sum += std::hypot(row[x][0] * scale_x, row[x][1] * scale_y);
  }
  return sum / double(flow.total());
}

}  // namespace

struct FlowMeter::State {
  cv::Ptr<cv::DISOpticalFlow> search = cv::DISOpticalFlow::create(cv::DISOpticalFlow::PRESET_MEDIUM);
  cv::Mat flow;
};

FlowMeter::FlowMeter() : state_(std::make_unique<State>()) {
  cv::setNumThreads(1);  // clips are the unit of parallel work
}
FlowMeter::~FlowMeter() = default;

double FlowMeter::MeanFlow(std::span<const Image> frames) {
  MVD_CHECK_GE(frames.size(), 2u);
  double sum = 0;
  cv::Mat before = Small(frames[0]);
  const double scale_x = double(frames[0].width) / before.cols,
               scale_y = double(frames[0].height) / before.rows;
  for (size_t i = 1; i < frames.size(); ++i) {
    cv::Mat after = Small(frames[i]);
    state_->flow.release();  // a flow that is given is taken for a first guess
    state_->search->calc(before, after, state_->flow);
    sum += MeanLength(state_->flow, scale_x, scale_y);
    before = after;
  }
  return sum / double(frames.size() - 1);
}

}  // namespace mvd
