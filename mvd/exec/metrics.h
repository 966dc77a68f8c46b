// How far one array is from another: the figures of `compare` and of the `check` command.
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
// - A number that is not finite in either makes rel_rms and max_abs infinite and the cosine 0, where both
// have
//   the same one too: two networks that fail alike do not agree.
// - Where `want` is all zero rel_rms is 0 if `got` is too, else infinite; the cosine is 1 or 0 likewise.
ErrorMetrics Measure(std::span<const float> got, std::span<const float> want);

// Elements that are NaN or infinite.
int64_t CountNonFinite(std::span<const float> values);

}  // namespace mvd
