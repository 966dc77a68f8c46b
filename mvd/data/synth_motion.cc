#include "mvd/data/synth_motion.h"

#include <algorithm>
#include <cmath>

#include "mvd/base/motion.h"

namespace mvd::synth {

std::array<float, 2> FlowTo(const Scene& scene, const Canvas& canvas, int frame, int to, int x, int y) {
  const uint8_t owner = canvas.owner[size_t(y) * canvas.width + x];
  return ElementFlow(scene.elements[owner], frame, to, float(x) + 0.5f, float(y) + 0.5f);
}

MotionOfClip::MotionOfClip(const Scene& scene)
    : scene_(scene), diagonal_(std::sqrt(float(scene.height * scene.height + scene.width * scene.width))) {}

void MotionOfClip::Add(int t, const Canvas& canvas) {
  if (t == 0) first_ = canvas.owner;
  for (int y = 0; y < scene_.height; y += int(kMotionCell)) {
    for (int x = 0; x < scene_.width; x += int(kMotionCell)) AddCell(t, x, y, canvas);
  }
}

// Of four pixels the mean of those that the first frame shows, of all where it shows none.
void MotionOfClip::AddCell(int t, int left, int top, const Canvas& canvas) {
  constexpr int kStep = int(kMotionCell) / 2;
  float seen[3] = {}, all[3] = {};
  for (int i = 0; i < 4; ++i) {
    const int x = std::min(left + kStep / 2 + i % 2 * kStep, scene_.width - 1),
              y = std::min(top + kStep / 2 + i / 2 * kStep, scene_.height - 1);
    const auto [dx, dy] = FlowTo(scene_, canvas, t, 0, x, y);
    all[0] += dx, all[1] += dy, all[2] += 1;
    if (!Visible(t, x, y, dx, dy, canvas)) continue;
    seen[0] += dx, seen[1] += dy, seen[2] += 1;
  }
  const float* mean = seen[2] > 0 ? seen : all;
  for (int i = 0; i < 2; ++i) motion_.push_back(mean[i] / (mean[2] * diagonal_));
  motion_.push_back(seen[2] / all[2]);
}

// Whether the first frame shows there what frame t shows at (x, y): the same element, and the way back leads
// to where it began, which the far side of a ball does not.
bool MotionOfClip::Visible(int t, int x, int y, float dx, float dy, const Canvas& canvas) const {
  if (t == 0) return true;
  const float there_x = float(x) + 0.5f + dx, there_y = float(y) + 0.5f + dy;
  if (!(there_x >= 0 && there_y >= 0 && there_x < float(scene_.width) && there_y < float(scene_.height)))
    return false;
  const uint8_t owner = first_[size_t(there_y) * canvas.width + size_t(there_x)];
  if (owner != canvas.owner[size_t(y) * canvas.width + x]) return false;
  const auto [back_x, back_y] = ElementFlow(scene_.elements[owner], 0, t, there_x, there_y);
  return std::abs(dx + back_x) < 1 && std::abs(dy + back_y) < 1;
}

}  // namespace mvd::synth
