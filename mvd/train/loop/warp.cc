#include "mvd/train/loop/warp.h"

#include <ATen/ATen.h>

#include <array>
#include <vector>

#include "mvd/base/check.h"
#include "mvd/train/loop/draws.h"

namespace mvd {

Window DrawWindow(uint64_t seed, uint64_t sample) {
  const std::array<double, 4> u = DrawUniforms(seed, sample);
  const double side = 1 - u[0] / 2;
  return {.side = side, .x = (u[1] - 0.5) * (1 - side), .y = (u[2] - 0.5) * (1 - side)};
}

at::Tensor LookThrough(const std::vector<Window>& windows, const at::Tensor& x) {
  const int64_t n = x.size(0), h = x.size(2), w = x.size(3), c = x.size(4);
  MVD_CHECK_EQ(int64_t(windows.size()), n);
  std::vector<float> rows;  // grid coordinates run from -1 to 1
  for (const Window& v : windows)
    rows.insert(rows.end(), {float(v.side), 0, float(2 * v.x), 0, float(v.side), float(2 * v.y)});
  const at::Tensor theta = at::tensor(rows, at::kFloat).view({n, 2, 3}).to(x.device());
  const at::Tensor grid = at::affine_grid_generator(theta, {n, c, h, w}, /*align_corners=*/false);
  constexpr int64_t kBilinear = 0, kBorder = 1;
  const at::Tensor seen =
      at::grid_sampler(x.squeeze(1).permute({0, 3, 1, 2}), grid, kBilinear, kBorder, /*align_corners=*/false);
  return seen.permute({0, 2, 3, 1}).unsqueeze(1);
}

}  // namespace mvd
