#include "mvd/sample/guidance.h"

#include <algorithm>

#include "mvd/base/error.h"

namespace mvd {

std::vector<float> GuidanceScales(double min_scale, double max_scale, int64_t frames) {
  if (min_scale > 1 && max_scale <= 1) {
    ThrowUsage("min_guidance_scale: found ", min_scale, " with max_guidance_scale ", max_scale,
               ", expected at most 1, or a max_guidance_scale above 1");
  }
  MVD_CHECK_GE(frames, 1);
  std::vector<float> scales(static_cast<size_t>(frames), static_cast<float>(min_scale));
  for (int64_t f = 1; f < frames; ++f) {
    scales[size_t(f)] = float(min_scale + (max_scale - min_scale) * double(f) / double(frames - 1));
  }
  return scales;
}

bool GuidanceOn(std::span<const float> scales) {
  return std::any_of(scales.begin(), scales.end(), [](float scale) { return scale > 1; });
}

void Guide(std::span<const float> uncond, std::span<const float> cond, std::span<const float> scales,
           std::span<float> guided) {
  MVD_CHECK_EQ(uncond.size(), guided.size());
  MVD_CHECK_EQ(cond.size(), guided.size());
  MVD_CHECK(!scales.empty() && guided.size() % scales.size() == 0, guided.size(), " elements in ",
            scales.size(), " frames");
  const size_t frame = guided.size() / scales.size();
  for (size_t i = 0; i < guided.size(); ++i) {
    guided[i] = uncond[i] + scales[i / frame] * (cond[i] - uncond[i]);
  }
}

}  // namespace mvd
