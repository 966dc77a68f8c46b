// What can be wrong with a clip, done to real ones: a network that is to compare clips learns to tell it.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>

namespace mvd {

enum class Damage { kNone, kStill, kShuffled, kGrain, kBlur };
inline constexpr int64_t kDamages = 5;

// Half of all samples are left as they are, and each damage strikes an eighth.
Damage DrawDamage(uint64_t seed, uint64_t sample);

// `clip` (1,T,H,W,3) in [-1,1]: its first frame for all, frames in any order (which tells motion from noise),
// noise of 0.02 to 0.2 on every number, or from frame to frame more of its detail gone, to 8 pixels at the
// end.
at::Tensor Damaged(const at::Tensor& clip, Damage damage, uint64_t seed, uint64_t sample);

}  // namespace mvd
