// Numbers for what goes wrong in video finetuning: values that are not finite, clips that do not move, clips
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
  int64_t bad_in_a_row = 0;   // steps skipped in a row, up to now

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

// Detects the failures of adversarial training from its losses, smoothed over about 50 steps: a discriminator
// that is always sure teaches nothing, and a generator that only pleases it drifts away from the real clips.
class CollapseWatch {
 public:
  // Call after each step with the discriminator's hinge loss and the distance of made to real clips. Returns
  // what is wrong in one line, or "".
  std::string Judge(double discriminator, double distance);

 private:
  double discriminator_ = 0, distance_ = 0, best_distance_ = 0;
  int64_t steps_ = 0;
};

// Two seeds give the same clip of a picture if the clips differ by less than this share of their motion.
inline constexpr double kLeastVariety = 0.05;

// One line for the log: "not finite: 0 losses, 0 gradients; motion 0.021 (data 0.034); first-frame copy
// 0.12; seeds differ by 0.0130", and behind it a warning where samples copy their first frame or each other.
std::string HealthText(const HealthCounters& health, double motion, double data_motion, double copy_ratio,
                       double variety);

}  // namespace mvd
