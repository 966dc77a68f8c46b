#include "mvd/prepare/flow.h"

#include <algorithm>
#include <cmath>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>
#include <opencv2/video/tracking.hpp>

#include "mvd/base/check.h"
#include "mvd/base/motion.h"

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

// `flow` read at p + `way` for each p, bilinearly; outside, the border's.
cv::Mat ReadAlong(const cv::Mat& flow, const cv::Mat& way) {
  cv::Mat at(way.size(), CV_32FC2), read;
  for (int y = 0; y < way.rows; ++y) {
    for (int x = 0; x < way.cols; ++x)
      at.at<cv::Vec2f>(y, x) = way.at<cv::Vec2f>(y, x) + cv::Vec2f(float(x), float(y));
  }
  cv::remap(flow, read, at, cv::noArray(), cv::INTER_LINEAR, cv::BORDER_REPLICATE);
  return read;
}

// Whether `there` and then `back` lead to where they began, and stay in the picture.
bool Returns(const cv::Mat& there, const cv::Mat& back, int x, int y) {
  const cv::Vec2f go = there.at<cv::Vec2f>(y, x), come = back.at<cv::Vec2f>(y, x);
  const float at_x = float(x) + go[0], at_y = float(y) + go[1];
  if (at_x < 0 || at_y < 0 || at_x > float(there.cols - 1) || at_y > float(there.rows - 1)) return false;
  // Sundaram, Brox, Keutzer, "Dense point trajectories", ECCV 2010, Eq. 5.
  const double difference = cv::norm(go + come, cv::NORM_L2SQR);
  return difference < 0.01 * (cv::norm(go, cv::NORM_L2SQR) + cv::norm(come, cv::NORM_L2SQR)) + 0.5;
}

// A frame's cells: the mean way of what is visible, of all where nothing is, and the share that is visible.
// `there` leads to the first frame.
void AddCells(const cv::Mat& there, const cv::Mat& back, int height, int width, std::vector<float>& motion) {
  const int rows = int((height + kMotionCell - 1) / kMotionCell),
            columns = int((width + kMotionCell - 1) / kMotionCell);
  const double diagonal = std::hypot(height, width), scale_x = double(width) / there.cols,
               scale_y = double(height) / there.rows;
  for (int row = 0; row < rows; ++row) {
    for (int column = 0; column < columns; ++column) {
      const int y0 = row * there.rows / rows, y1 = std::max(y0 + 1, (row + 1) * there.rows / rows);
      const int x0 = column * there.cols / columns,
                x1 = std::max(x0 + 1, (column + 1) * there.cols / columns);
      cv::Vec3d seen, all;
      for (int y = y0; y < y1; ++y) {
        for (int x = x0; x < x1; ++x) {
          const cv::Vec2f way = there.at<cv::Vec2f>(y, x);
          const cv::Vec3d term(way[0], way[1], 1);
          all += term;
          if (Returns(there, back, x, y)) seen += term;
        }
      }
      const cv::Vec3d& mean = seen[2] > 0 ? seen : all;
      motion.push_back(float(mean[0] / mean[2] * scale_x / diagonal));
      motion.push_back(float(mean[1] / mean[2] * scale_y / diagonal));
      motion.push_back(float(seen[2] / all[2]));
    }
  }
}

}  // namespace

struct FlowMeter::State {
  cv::Ptr<cv::DISOpticalFlow> search = cv::DISOpticalFlow::create(cv::DISOpticalFlow::PRESET_MEDIUM);
  cv::Mat flow;

  // Flow from `before` to `after`; `guess` may be empty.
  cv::Mat Seek(const cv::Mat& before, const cv::Mat& after, cv::Mat guess = {}) {
    search->calc(before, after, guess);
    return guess;
  }
};

std::vector<float> FlowMeter::Motion(std::span<const Image> frames) {
  MVD_CHECK_GE(frames.size(), 2u);
  std::vector<float> motion;
  const cv::Mat first = Small(frames[0]);
  cv::Mat before = first, to_first = cv::Mat::zeros(first.size(), CV_32FC2), from_first = to_first.clone();
  AddCells(to_first, from_first, frames[0].height, frames[0].width, motion);
  for (size_t i = 1; i < frames.size(); ++i) {
    const cv::Mat now = Small(frames[i]);
    const cv::Mat back = state_->Seek(now, before), forth = state_->Seek(before, now);
    to_first = state_->Seek(now, first, back + ReadAlong(to_first, back));
    from_first = state_->Seek(first, now, from_first + ReadAlong(forth, from_first));
    AddCells(to_first, ReadAlong(from_first, to_first), frames[0].height, frames[0].width, motion);
    before = now;
  }
  return motion;
}

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
