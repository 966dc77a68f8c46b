#include "mvd/cli/repro_ladder.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "mvd/base/error.h"

namespace mvd::cli {
namespace {

constexpr int kWidth = 760, kHeight = 440;
constexpr double kLeft = 70, kRight = 190, kTop = 30, kBottom = 50;
constexpr Colour kInk{30, 30, 30}, kGrid{220, 220, 220}, kRung{31, 119, 180}, kOther{160, 160, 160};
// From the teacher down.
constexpr const char* kRungs[] = {"svd-512-folded", "svd-512-one-step", "mobilevd-temporal",
                                  "mobilevd-pruned", "mobilevd"};

struct Point {
  std::string run;
  double gflops, distance;
};

std::vector<Point> Points(const DemoEvaluations& demo) {
  std::vector<Point> points;
  for (const std::string& run : demo.Runs()) {
    const auto flops = demo.Cost(run, "flops"), distance = demo.Figure(run, "Frechet distance");
    if (flops && distance && *flops > 0) points.push_back({run, *flops * 1e-9, *distance});
  }
  return points;
}

std::string Short(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.3g", value);
  return text;
}

}  // namespace

Chart LadderChart(const DemoEvaluations& demo) {
  const std::vector<Point> points = Points(demo);
  if (points.size() < 2)
    ThrowBadInput("--demo", "has ", points.size(),
                  " evaluations with flops and a Frechet distance, expected 2 or more");
  const auto cheaper = [](const Point& a, const Point& b) { return a.gflops < b.gflops; };
  const auto nearer = [](const Point& a, const Point& b) { return a.distance < b.distance; };
  const double least =
      std::floor(std::log10(std::min_element(points.begin(), points.end(), cheaper)->gflops));
  const double most =
      std::ceil(std::log10(std::max_element(points.begin(), points.end(), cheaper)->gflops) + 1e-9);
  const double top = 1.15 * std::max_element(points.begin(), points.end(), nearer)->distance;
  const double width = kWidth - kLeft - kRight, height = kHeight - kTop - kBottom;
  const auto x = [&](double gflops) {
    return kLeft + width * (std::log10(gflops) - least) / std::max(1.0, most - least);
  };
  const auto y = [&](double distance) { return kTop + height * (1 - distance / top); };
  Chart chart(kWidth, kHeight);
  for (double decade = least; decade <= most; ++decade) {
    const double at = x(std::pow(10, decade));
    chart.Line(at, kTop, at, kTop + height, kGrid);
    chart.Text(at, kTop + height + 16, Short(std::pow(10, decade)), kInk, Chart::Anchor::kMiddle);
  }
  for (int i = 0; i <= 4; ++i) {
    const double value = top * i / 4;
    chart.Line(kLeft, y(value), kLeft + width, y(value), kGrid);
    chart.Text(kLeft - 8, y(value) + 4, Short(value), kInk, Chart::Anchor::kEnd);
  }
  chart.Text(kLeft + width / 2, kHeight - 12, "GFLOPs of a clip", kInk, Chart::Anchor::kMiddle);
  chart.Text(12, kTop - 12, "Frechet distance, own features (lower is better)", kInk);
  const Point* before = nullptr;
  for (const char* rung : kRungs) {
    const auto found =
        std::find_if(points.begin(), points.end(), [&](const Point& p) { return p.run == rung; });
    if (found == points.end()) continue;
    if (before)
      chart.Line(x(before->gflops), y(before->distance), x(found->gflops), y(found->distance), kRung, 2);
    before = &*found;
  }
  for (const Point& p : points) {
    const bool rung =
        std::any_of(std::begin(kRungs), std::end(kRungs), [&](const char* r) { return p.run == r; });
    chart.Disc(x(p.gflops), y(p.distance), 5, rung ? kRung : kOther);
    chart.Text(x(p.gflops) + 9, y(p.distance) + 4, p.run, rung ? kInk : kOther);
  }
  return chart;
}

}  // namespace mvd::cli
