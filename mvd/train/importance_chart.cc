#include "mvd/train/importance_chart.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <numeric>
#include <sstream>

#include "mvd/base/atomic_file.h"
#include "mvd/base/error.h"

namespace mvd {
namespace {

constexpr double kLeft = 46, kTop = 16, kWidth = 560, kHeight = 320, kNames = 250;  // pixels
constexpr size_t kMostLogBytes = size_t{1} << 32;
constexpr size_t kMostPoints = 100;  // of a line
constexpr const char* kColours[] = {"#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b",
                                    "#e377c2", "#17becf", "#bcbd22", "#3b6e22", "#aa3377"};

struct History {
  std::vector<double> steps;
  std::vector<std::vector<double>> importance;  // of each block, one a step
};

History ReadHistory(const std::filesystem::path& log, const std::vector<std::string>& blocks) {
  History history;
  history.importance.resize(blocks.size());
  std::istringstream lines(ReadFile(log, kMostLogBytes));
  for (std::string line; std::getline(lines, line);) {
    const nlohmann::json values = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
    std::vector<double> row;
    for (const std::string& block : blocks) {
      const std::string key = "importance." + block;
      if (values.is_object() && values.contains(key) && values[key].is_number()) row.push_back(values[key]);
    }
    if (row.size() != blocks.size() || !values.contains("step") || !values["step"].is_number()) continue;
    history.steps.push_back(values["step"]);
    for (size_t i = 0; i < row.size(); ++i) history.importance[i].push_back(row[i]);
  }
  if (history.steps.empty()) ThrowBadInput(log.string(), "holds no importance of the network's blocks");
  return history;
}

class Svg {
 public:
  template <class... Args>
  void Add(const char* format, const Args&... args) {
    char text[512];
    std::snprintf(text, sizeof(text), format, args...);
    body_ << text << "\n";
  }
  void Line(const History& h, size_t block, const char* colour, double width) {
    const double last = std::max(h.steps.back(), 1.0);
    const size_t every = std::max<size_t>(1, h.steps.size() / kMostPoints);
    body_ << "<polyline fill=\"none\" stroke=\"" << colour << "\" stroke-width=\"" << width << "\" points=\"";
    for (size_t i = 0; i < h.steps.size(); i += every) {
      char point[64];
      std::snprintf(point, sizeof(point), "%.1f,%.1f ", kLeft + kWidth * h.steps[i] / last,
                    kTop + kHeight * (1 - h.importance[block][i]));
      body_ << point;
    }
    body_ << "\"/>\n";
  }
  std::string Text() const {
    std::ostringstream text;
    text << "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" << kLeft + kWidth + kNames << "\" height=\""
         << kTop + kHeight + 40
         << "\" font-family=\"sans-serif\" font-size=\"11\">\n<rect width=\"100%\" height=\"100%\" "
            "fill=\"white\"/>\n"
         << body_.str() << "</svg>\n";
    return text.str();
  }

 private:
  std::ostringstream body_;
};

void DrawAxes(Svg& svg, double last_step) {
  for (int tenth = 0; tenth <= 10; tenth += 2) {
    const double y = kTop + kHeight * (1 - tenth / 10.0);
    svg.Add("<path d=\"M%.0f %.1fh%.0f\" stroke=\"#ddd\"/>", kLeft, y, kWidth);
    svg.Add("<text x=\"%.0f\" y=\"%.1f\" text-anchor=\"end\">%.1f</text>", kLeft - 6, y + 4, tenth / 10.0);
  }
  for (int quarter = 0; quarter <= 4; ++quarter) {
    svg.Add("<text x=\"%.1f\" y=\"%.0f\" text-anchor=\"middle\">%.0f</text>", kLeft + kWidth * quarter / 4,
            kTop + kHeight + 16, last_step * quarter / 4);
  }
  svg.Add(
      "<text x=\"%.0f\" y=\"%.0f\" text-anchor=\"middle\">importance of temporal blocks over steps</text>",
      kLeft + kWidth / 2, kTop + kHeight + 32);
}

}  // namespace

void WriteImportanceChart(const std::filesystem::path& run, const std::vector<std::string>& blocks,
                          const std::vector<std::string>& kept) {
  const auto is_kept = [&](size_t block) {
    return std::find(kept.begin(), kept.end(), blocks[block]) != kept.end();
  };
  const History history = ReadHistory(run / "metrics.jsonl", blocks);
  std::vector<size_t> order(blocks.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return std::pair(is_kept(a), history.importance[a].back()) >
           std::pair(is_kept(b), history.importance[b].back());
  });
  Svg svg;
  DrawAxes(svg, history.steps.back());
  for (size_t i = order.size(); i-- > 0;) {  // the kept ones on top
    const bool coloured = is_kept(order[i]);
    svg.Line(history, order[i], coloured ? kColours[i % std::size(kColours)] : "#c0c0c0",
             coloured ? 1.8 : 0.8);
    if (coloured)
      svg.Add("<text x=\"%.0f\" y=\"%.0f\" fill=\"%s\">%s</text>", kLeft + kWidth + 8,
              kTop + 12 + 14 * double(i), kColours[i % std::size(kColours)], blocks[order[i]].c_str());
  }
  WriteFile(run / "importance.svg", svg.Text());
}

}  // namespace mvd
