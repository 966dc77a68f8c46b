// How far one array is from another: the figures of compare.h and of the command `check`.
#pragma once

#include <cstdint>
#include <span>

namespace mvd {

struct ErrorMetrics {
  double rel_rms = 0;  // ||got - want||_2 / ||want||_2
  double max_abs = 0;  // max |got - want|
  double cosine = 1;   // of the angle between them
};

// Sums in double. Both must have the same number of elements.
// - A number that is not finite in either array makes rel_rms and max_abs infinite and the cosine 0,
//   even if both arrays have the same one:
//   two networks that fail in the same way do not agree.
// - If `want` is all zero and `got` too, rel_rms is 0 and the cosine 1; if `got` is not, infinite and 0.
ErrorMetrics Measure(std::span<const float> got, std::span<const float> want);

// Elements that are NaN or infinite.
int64_t CountNonFinite(std::span<const float> values);

}  // namespace mvd
