// Pictures whose parts move by themselves: painted through a grid of displacements, which is the flow too.
#include "mvd/data/scene_layer.h"

namespace mvd::synth {

std::array<float, 2> GridAt(const Moved& moved, const std::vector<std::array<float, 2>>& grid, float x,
                            float y) {
  const float u = std::min(std::max(x / kMovedStep, 0.0f), float(moved.columns) - 1.001f),
              v = std::min(std::max(y / kMovedStep, 0.0f), float(moved.rows) - 1.001f);
  const int column = int(u), row = int(v);
  const float fx = u - float(column), fy = v - float(row);
  const auto* above = &grid[size_t(row) * moved.columns + column];
  const auto* below = above + moved.columns;
  std::array<float, 2> mean;
  for (size_t i = 0; i < 2; ++i) {
    const float upper = above[0][i] + fx * (above[1][i] - above[0][i]),
                lower = below[0][i] + fx * (below[1][i] - below[0][i]);
    mean[i] = upper + fy * (lower - upper);
  }
  return mean;
}

void PaintMoved(const Moved& moved, int frame, uint8_t id, Canvas& canvas) {
  const auto& grid = moved.from[size_t(frame)];
  const float level = RoughLog2(moved.density);
  for (int y = 0; y < canvas.height; ++y) {
    for (int x = 0; x < canvas.width; ++x) {
      const float px = float(x) + 0.5f, py = float(y) + 0.5f;
      const auto [dx, dy] = GridAt(moved, grid, px, py);
      const float u = (px + dx + moved.margin) * moved.density, v = (py + dy + moved.margin) * moved.density;
      Blend(canvas, size_t(y) * canvas.width + x, SampleLevel(moved.texture, u, v, level), id);
    }
  }
}

std::array<float, 2> MovedFlow(const Moved& moved, int frame, int to, float x, float y) {
  const auto [back_x, back_y] = GridAt(moved, moved.from[size_t(frame)], x, y);
  const auto [dx, dy] = GridAt(moved, moved.to[size_t(to)], x + back_x, y + back_y);
  return {back_x + dx, back_y + dy};
}

}  // namespace mvd::synth
