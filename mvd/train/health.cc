#include "mvd/train/health.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "mvd/base/check.h"

namespace mvd {
namespace {

double MeanAbsoluteDifference(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += std::abs(double(a[i]) - b[i]);
  return a.empty() ? 0 : sum / double(a.size());
}

size_t FrameSize(std::span<const float> frames, int64_t count) {
  MVD_CHECK(count > 0 && frames.size() % size_t(count) == 0, frames.size(), " values in ", count, " frames");
  return frames.size() / size_t(count);
}

// Mean absolute distance of the later frames to the first.
double DistanceToFirst(std::span<const float> frames, int64_t count) {
  const size_t size = FrameSize(frames, count);
  double sum = 0;
  for (int64_t t = 1; t < count; ++t) {
    sum += MeanAbsoluteDifference(frames.subspan(0, size), frames.subspan(size_t(t) * size, size));
  }
  return count > 1 ? sum / double(count - 1) : 0;
}

}  // namespace

int64_t CountNotFinite(std::span<const float> values) {
  return std::count_if(values.begin(), values.end(), [](float value) { return !std::isfinite(value); });
}

bool HealthCounters::Judge(double loss, double grad_norm) {
  bad_losses += !std::isfinite(loss);
  bad_gradients += !std::isfinite(grad_norm);
  const bool good = std::isfinite(loss) && std::isfinite(grad_norm);
  skipped_steps += !good;
  bad_in_a_row = good ? 0 : bad_in_a_row + 1;
  return good;
}

nlohmann::json ToJson(const HealthCounters& health) {
  return {{"bad_losses", health.bad_losses},
          {"bad_gradients", health.bad_gradients},
          {"skipped_steps", health.skipped_steps},
          {"bad_in_a_row", health.bad_in_a_row}};
}

HealthCounters HealthFromJson(const nlohmann::json& json) {
  HealthCounters health;
  if (!json.is_object()) return health;
  const auto read = [&](const char* key, int64_t* value) {
    if (json.contains(key) && json[key].is_number_integer()) *value = json[key].get<int64_t>();
  };
  read("bad_losses", &health.bad_losses);
  read("bad_gradients", &health.bad_gradients);
  read("skipped_steps", &health.skipped_steps);
  read("bad_in_a_row", &health.bad_in_a_row);
  return health;
}

double MotionMagnitude(std::span<const float> frames, int64_t count) {
  const size_t size = FrameSize(frames, count);
  if (count < 2) return 0;
  // Neighbouring frames are one contiguous range against the same range a frame later.
  return MeanAbsoluteDifference(frames.first(frames.size() - size), frames.subspan(size));
}

double FirstFrameCopyRatio(std::span<const float> clip, std::span<const float> reference, int64_t count) {
  MVD_CHECK_EQ(clip.size(), reference.size());
  if (count < 2) return 1;
  const double own = DistanceToFirst(clip, count), real = DistanceToFirst(reference, count);
  if (real == 0) return own == 0 ? 0 : -1;
  return std::clamp(1 - own / real, -1.0, 1.0);
}

std::string CollapseWatch::Judge(double discriminator, double distance) {
  constexpr double kKept = 0.98;       // weight of the old value in the smoothed one
  constexpr int64_t kFirstSteps = 50;  // without a verdict
  constexpr double kSure = 0.02;       // hinge loss below which it is sure; 2 where it knows nothing
  constexpr double kFarther = 2;       // multiple of the smallest distance so far
  if (!std::isfinite(discriminator) || !std::isfinite(distance)) return "";  // counted elsewhere
  const double kept = steps_++ == 0 ? 0 : kKept;
  discriminator_ = kept * discriminator_ + (1 - kept) * discriminator;
  distance_ = kept * distance_ + (1 - kept) * distance;
  if (steps_ < kFirstSteps) return "";
  best_distance_ = best_distance_ > 0 ? std::min(best_distance_, distance_) : distance_;
  char text[160] = "";
  if (discriminator_ < kSure)
    std::snprintf(text, sizeof(text), "the discriminator is sure of every clip (hinge loss %.3f)",
                  discriminator_);
  else if (distance_ > kFarther * best_distance_)
    std::snprintf(text, sizeof(text), "made clips are %.1f times as far from real ones as they have been",
                  distance_ / best_distance_);
  return text;
}

std::string HealthText(const HealthCounters& health, double motion, double data_motion, double copy_ratio,
                       double variety) {
  constexpr double kCopy = 0.9;
  char numbers[160];
  std::snprintf(numbers, sizeof(numbers),
                "motion %.4f (data %.4f); first-frame copy %.2f; seeds differ by %.4f", motion, data_motion,
                copy_ratio, variety);
  const char* warning = copy_ratio > kCopy                 ? "; WARNING: samples stand still"
                        : variety < kLeastVariety * motion ? "; WARNING: seeds make one clip"
                                                           : "";
  return StrCat("not finite: ", health.bad_losses, " losses, ", health.bad_gradients, " gradients; ", numbers,
                warning);
}

}  // namespace mvd
