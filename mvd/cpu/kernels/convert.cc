// f32 <-> bf16 in bulk. Weights pass here, so every level gives the same bits, subnormal numbers included.
#include "mvd/cpu/kernels/level.h"
#include "mvd/cpu/kernels/simd.h"

namespace mvd::kernels::MVD_ISA {

void ToBf16(const float* x, int64_t n, BF16Bits* y) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) *reinterpret_cast<UnalignedH*>(y + i) = RoundExactly(Load(x + i));
  if (i == n) return;
  const H last = RoundExactly(LoadFirst(x + i, n - i));
  for (int64_t k = 0; i + k < n; ++k) y[i + k] = last[k];
}

void ToF32(const BF16Bits* x, int64_t n, float* y) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) Store(y + i, Load(x + i));
  if (i < n) StoreFirst(y + i, LoadFirst(x + i, n - i), n - i);
}

}  // namespace mvd::kernels::MVD_ISA
