// Damages real clips in the ways in which made ones can be wrong, so that the features network learns to
// tell.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>

namespace mvd {

enum class Damage { kNone, kStill, kShuffled, kGrain, kBlur };
inline constexpr int64_t kDamages = 5;

// Half of all samples stay undamaged; each kind of damage gets an eighth.
Damage DrawDamage(uint64_t seed, uint64_t sample);

// `clip` (1,T,H,W,3) in [-1,1] after its damage: all frames equal to the first, shuffled frames (whose
// difference is not motion), noise of 0.02 to 0.2 on every value, or a blur that grows from frame to frame up
// to 8 pixels.
at::Tensor Damaged(const at::Tensor& clip, Damage damage, uint64_t seed, uint64_t sample);

}  // namespace mvd
