// The running softmax both attention kernels share (Milakov and Gimelshein 2018, arXiv 1805.02867), in
// base 2.
#pragma once

#include "mvd/cpu/kernels/matmul.h"

namespace mvd::kernels::MVD_ISA {

inline constexpr float kLog2E = 1.44269504f;

// State of up to kSoftmaxRows queries: the largest score so far, times scale log2(e), and the sum of
// probabilities relative to it, spread over the lanes.
inline constexpr int kSoftmaxRows = 32;
struct Softmax {
  alignas(64) float top[kSoftmaxRows];
  alignas(64) float sums[kSoftmaxRows * kLanes];
};

inline void Begin(Softmax& state) {
  for (int i = 0; i < kSoftmaxRows; ++i) state.top[i] = -__builtin_inff();
  for (int i = 0; i < kSoftmaxRows * kLanes; ++i) state.sums[i] = 0;
}

// s (rows, ld): scores of `keys` more keys, in whole vectors; those past the last key are ignored. p (rows,
// ldp): their probabilities relative to the new largest score, as words along the keys, zeros past the last
// one; ldp is a multiple of kLanes and holds them. factor[row]: by what earlier results shrink.
template <class E>
inline void Advance(float* s, int64_t ld, int64_t rows, int64_t keys, float scale_log2e, Softmax& state,
                    float* factor, float* p, int64_t ldp) {
  const int64_t columns = RoundUp(keys, kLanes);
  alignas(64) float top[kSoftmaxRows];
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = keys; c < columns; ++c) s[r * ld + c] = -__builtin_inff();
    F best = Load(s + r * ld);
    for (int64_t c = kLanes; c < columns; c += kLanes) best = Max(best, Load(s + r * ld + c));
    top[r] = Maximum(best);
  }
  for (int64_t r = rows; r % kLanes != 0; ++r) top[r] = 0;
  for (int64_t r = 0; r < rows; r += kLanes) {
    const F old = Load(state.top + r), now = Max(old, Load(top + r) * scale_log2e);
    Store(factor + r, Exp2<5>(old - now));
    Store(state.top + r, now);
  }
  for (int64_t r = 0; r < rows; ++r) {
    const F shift = Set(state.top[r]);
    const auto probability = [&](int64_t c) {
      return Exp2 < kPaired<E> ? 3 : 5 > (Load(s + r * ld + c) * scale_log2e - shift);
    };
    F sum = factor[r] * Load(state.sums + r * kLanes);
#if defined(__AVX512BF16__)
    if constexpr (kPaired<E>) {
      const F ones = F(U{} + 0x3f803f80u);  // the sum is of the rounded values, as the second product is
      for (int64_t c = 0; c < columns; c += 2 * kLanes) {
        const F lower = probability(c), upper = c + kLanes < columns ? probability(c + kLanes) : F{};
        const F words = F(_mm512_cvtne2ps_pbh(upper, lower));
        Store(p + r * ldp + c / 2, words);
        sum = MultiplyAdd<E>(words, ones, sum);
      }
      Store(state.sums + r * kLanes, sum);
      continue;
    }
#endif
    for (int64_t c = 0; c < columns; c += kLanes) {
      const F value = probability(c);
      Store(p + r * ldp + c, value);
      sum += value;
    }
    Store(state.sums + r * kLanes, sum);
  }
}

// out (rows, width) = values / sums of the state's rows.
template <class E>
inline void Finish(const float* values, int64_t ld, int64_t rows, int64_t width, const float* sums, E* out,
                   int64_t stride) {
  for (int64_t r = 0; r < rows; ++r) {
    const float inverse = 1.0f / Sum(Load(sums + r * kLanes));
    for (int64_t c = 0; c < width; c += kLanes) {
      StoreUpTo(out + r * stride + c, Load(values + r * ld + c) * inverse, width - c);
    }
  }
}

}  // namespace mvd::kernels::MVD_ISA
