// What goes wrong in video finetuning, as numbers: values that are not finite, clips that do not move, clips
// that copy their first frame.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

namespace mvd {

// Elements that are NaN or infinite.
int64_t CountNotFinite(std::span<const float> values);

// Counters that live as long as the run and are saved with it.
struct HealthCounters {
  int64_t bad_losses = 0;     // losses that were not finite
  int64_t bad_gradients = 0;  // gradient norms that were not finite
  int64_t skipped_steps = 0;  // steps not taken because of either
  int64_t bad_in_a_row = 0;   // present run of skipped steps

  // True where the step may be taken.
  bool Judge(double loss, double grad_norm);
  bool operator==(const HealthCounters&) const = default;
};
nlohmann::json ToJson(const HealthCounters& health);
HealthCounters HealthFromJson(const nlohmann::json& json);  // absent keys are 0

// Frames (T,H,W,C), any scale. Mean absolute difference of neighbouring frames; 0 with one frame.
double MotionMagnitude(std::span<const float> frames, int64_t count);
// 1 where every frame equals the first, about 0 where later frames are no nearer to the first than
// `reference`'s (a real clip of the same size) are: 1 - d(clip)/d(reference), d the mean absolute distance of
// frames 1.. to frame 0. Clamped to [-1,1]; 1 with one frame; 0 where neither moves.
double FirstFrameCopyRatio(std::span<const float> clip, std::span<const float> reference, int64_t count);

// One line for the log: "not finite: 0 losses, 0 gradients; motion 0.021 (data 0.034); first-frame copy
// 0.12".
std::string HealthText(const HealthCounters& health, double motion, double data_motion, double copy_ratio);

}  // namespace mvd
