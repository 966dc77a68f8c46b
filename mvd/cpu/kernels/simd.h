// Vectors of one instruction set level, and the functions of one variable that networks need. Everything
// lives in the level's namespace (MVD_ISA) and nothing comes from std::, so that the linker can never take a
// copy compiled for one processor into another level's code.
#pragma once

#include "mvd/cpu/kernels/kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace mvd::kernels::MVD_ISA {

#if defined(__AVX512F__)
inline constexpr int kLanes = 16;
#elif defined(__AVX2__)
inline constexpr int kLanes = 8;
#else
inline constexpr int kLanes = 4;
#endif

typedef float F __attribute__((vector_size(4 * kLanes)));
typedef int32_t I __attribute__((vector_size(4 * kLanes)));
typedef uint32_t U __attribute__((vector_size(4 * kLanes)));
typedef uint16_t H __attribute__((vector_size(2 * kLanes)));
typedef F UnalignedF __attribute__((aligned(1), may_alias));
typedef H UnalignedH __attribute__((aligned(1), may_alias));

inline F Set(float value) { return value - F{}; }

inline F Load(const float* p) { return *reinterpret_cast<const UnalignedF*>(p); }
inline void Store(float* p, F v) { *reinterpret_cast<UnalignedF*>(p) = v; }

// 16-bit words to 32-bit ones and back. GCC 12 splits __builtin_convertvector into halves where one
// instruction does.
inline U Widen(H h) {
#if defined(__AVX512F__)
  return U(_mm512_cvtepu16_epi32(__m256i(h)));
#elif defined(__AVX2__)
  return U(_mm256_cvtepu16_epi32(__m128i(h)));
#else
  return __builtin_convertvector(h, U);
#endif
}
inline H Narrow(U u) {  // u < 2^16
#if defined(__AVX512F__)
  return H(_mm512_cvtepi32_epi16(__m512i(u)));
#elif defined(__AVX2__)
  const __m256i halves = _mm256_packus_epi32(__m256i(u), __m256i(u));
  return H(_mm256_castsi256_si128(_mm256_permute4x64_epi64(halves, 0b1000)));
#else
  return __builtin_convertvector(u, H);
#endif
}

inline F Load(const BF16Bits* p) { return F(Widen(*reinterpret_cast<const UnalignedH*>(p)) << 16); }

// To nearest even; a NaN stays one. Exactly mvd::BF16.
inline H RoundExactly(F v) {
  const U u = U(v), rounded = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16, quiet = (u >> 16) | 0x40u;
  return Narrow((u & 0x7fffffffu) > 0x7f800000u ? quiet : rounded);
}

// The processor's instruction, where there is one, takes subnormal numbers for zero.
inline H Round(F v) {
#if defined(__AVX512BF16__)
  return H(_mm512_cvtneps_pbh(v));
#else
  return RoundExactly(v);
#endif
}

inline void Store(BF16Bits* p, F v) { *reinterpret_cast<UnalignedH*>(p) = Round(v); }

// The first n < kLanes elements; the rest are zero, and no memory past the n-th is touched.
template <class E>
inline F LoadFirst(const E* p, int64_t n) {
#if defined(__AVX512F__)
  const __mmask16 mask = __mmask16((1u << n) - 1);
  if constexpr (sizeof(E) == 4) return _mm512_maskz_loadu_ps(mask, p);
  return F(Widen(H(_mm256_maskz_loadu_epi16(mask, p))) << 16);
#else
  E buffer[kLanes] = {};
  for (int64_t i = 0; i < n; ++i) buffer[i] = p[i];
  return Load(buffer);
#endif
}
template <class E>
inline void StoreFirst(E* p, F v, int64_t n) {
#if defined(__AVX512F__)
  const __mmask16 mask = __mmask16((1u << n) - 1);
  if constexpr (sizeof(E) == 4) {
    _mm512_mask_storeu_ps(p, mask, v);
  } else {
    _mm256_mask_storeu_epi16(p, mask, __m256i(Round(v)));
  }
#else
  E buffer[kLanes];
  Store(buffer, v);
  for (int64_t i = 0; i < n; ++i) p[i] = buffer[i];
#endif
}

// kSplit vectors from kSplit * kLanes elements in a row, for sums that need no order: two bf16 in one 32-bit
// word are taken apart with half the instructions of widening. Element i comes to slot SplitSlot(i) of its
// stretch.
template <class E>
inline constexpr int kSplit = sizeof(float) / sizeof(E);
template <class E>
inline void LoadSplit(const E* p, F* out) {
  const F words = Load(reinterpret_cast<const float*>(p));
  if constexpr (kSplit<E> == 1) {
    out[0] = words;
  } else {
    out[0] = F(U(words) << 16);
    out[1] = F(U(words) & 0xffff0000u);
  }
}
template <class E>
inline int64_t SplitSlot(int64_t i) {
  constexpr int64_t kStretch = kSplit<E> * kLanes;
  return i / kStretch * kStretch + i % kSplit<E> * kLanes + i % kStretch / kSplit<E>;
}

// Up to kLanes elements.
template <class E>
inline F LoadUpTo(const E* p, int64_t n) {
  return n >= kLanes ? Load(p) : LoadFirst(p, n);
}
template <class E>
inline void StoreUpTo(E* p, F v, int64_t n) {
  n >= kLanes ? Store(p, v) : StoreFirst(p, v, n);
}

// The second operand where either is NaN.
inline F Max(F a, F b) {
#if defined(__AVX512F__)
  return _mm512_max_ps(a, b);
#elif defined(__AVX2__)
  return _mm256_max_ps(a, b);
#else
  return a > b ? a : b;
#endif
}
inline F Min(F a, F b) { return -Max(-a, -b); }
inline F Abs(F a) { return F(U(a) & 0x7fffffffu); }

inline float Sum(F v) {
#if defined(__AVX512F__)
  return _mm512_reduce_add_ps(v);
#else
  float part[kLanes];
  Store(part, v);
  for (int n = kLanes / 2; n > 0; n /= 2) {
    for (int i = 0; i < n; ++i) part[i] += part[i + n];
  }
  return part[0];
#endif
}

inline float Maximum(F v) {
#if defined(__AVX512F__)
  return _mm512_reduce_max_ps(v);
#else
  float part[kLanes];
  Store(part, v);
  for (int n = kLanes / 2; n > 0; n /= 2) {
    for (int i = 0; i < n; ++i) part[i] = part[i] > part[i + n] ? part[i] : part[i + n];
  }
  return part[0];
#endif
}

// p * 2^n, n a whole number. Overflow gives infinity, underflow zero.
inline F Scale(F p, F n) {
#if defined(__AVX512F__)
  return _mm512_scalef_ps(p, n);
#else
  const I whole = __builtin_convertvector(n, I),
          half = whole >> 1;  // two steps reach past the exponents' range
  return p * F((half + 127) << 23) * F((whole - half + 127) << 23);
#endif
}

inline F Nearest(F v) {  // |v| < 2^22 below AVX-512
#if defined(__AVX512F__)
  return _mm512_roundscale_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
#else
  return v + 12582912.0f - 12582912.0f;
#endif
}

// 2^x. Relative error beside that of rounding x: 7.5e-5 (degree 3, enough for results of 8 bits), 7.5e-8
// (degree 5). Minimax polynomials on [-1/2, 1/2]. -inf gives 0, NaN stays.
template <int kDegree>
inline F Exp2(F x) {
  static_assert(kDegree == 3 || kDegree == 5);
  x = Max(Set(-150), x);
#if !defined(__AVX512F__)
  x = -Max(Set(-150), -x);
#endif
  const F n = Nearest(x), r = x - n;
  if constexpr (kDegree == 3) {
    return Scale(((0.055171672f * r + 0.24261114f) * r + 0.69326097f) * r + 0.99992806f, n);
  }
  F p = 0.0013276472f * r + 0.009675542f;
  p = p * r + 0.05550713f;
  p = p * r + 0.2402212f;
  p = p * r + 0.69314694f;
  return Scale(p * r + 1.0000001f, n);
}

// e^x, relative error below 2e-7 (polynomial 2e-9, the rest is rounding): 1 below any exponent's range.
inline F Exp(F x) {
  x = -Max(Set(-89), -Max(Set(-105), x));  // 2^-151.5 is 0 and 2^128.4 infinite
  const F n = Nearest(x * 1.44269504f);
  const F r = (x - n * 0.693359375f) - n * -2.12194440e-4f;  // Cody and Waite: the first product is exact
  F p = 0.0013836846f * r + 0.008374816f;
  p = p * r + 0.041668225f;
  p = p * r + 0.1666642f;
  p = p * r + 0.4999999f;
  p = p * r + 1.0f;
  return Scale(p * r + 1.0f, n);
}

// The functions below come in two precisions: fine for f32 results; coarse, relative error below 2e-4, for
// results that are rounded to bf16 (2^-9 = 2e-3) anyway.
template <bool kFine>
inline F ExpFor(F x) {
  if constexpr (kFine) return Exp(x);
  return Exp2<3>(x * 1.44269504f);
}

template <bool kFine>
inline F Inverse(F x) {
#if defined(__AVX512F__)
  if constexpr (!kFine) return _mm512_rcp14_ps(x);
#endif
  return 1.0f / x;
}

template <bool kFine>
inline F TimesSigmoid(F x, F y) {
  return x * Inverse<kFine>(1.0f + ExpFor<kFine>(-y));
}

// x Phi(x) = x/2 (1 + erf(x / sqrt 2)); fine: absolute error below 2e-7 + 2^-24 |x|. With z = |x| / sqrt 2
// and t = 1 / (1 + 0.4 z): erfc(z) = t P(t) exp(-z^2), P minimax for the weight z; nothing cancels on the
// negative side.
template <bool kFine>
inline F Gelu(F x) {
  const F z = Abs(x) * 0.70710678f, t = Inverse<kFine>(1.0f + 0.4f * z);
  F p = -0.20576279f * t + 0.7314459f;
  p = p * t - 0.40681207f;
  p = p * t + 0.49698558f;
  p = p * t + 0.15042342f;
  p = p * t + 0.23371972f;
  const F tail = 0.5f * x * (p * t) * ExpFor<kFine>(-z * z);  // x/2 erfc(z)
  return x < 0.0f ? tail : x - tail;
}

// Fine: relative error below 4e-7. The series near 0, where 1 - 2 / (e^2x + 1) cancels.
template <bool kFine>
inline F Tanh(F x) {
  const F z = x * x;
  F p = -0.0088632355f * z + 0.021869489f;
  p = p * z - 0.053968254f;
  p = p * z + 0.13333333f;
  p = p * z - 0.33333333f;
  const F near = x + x * z * p;
  const F away = 1.0f - 2.0f * Inverse<kFine>(ExpFor<kFine>(2.0f * x) + 1.0f);
  return z < 0.09f ? near : away;
}

template <bool kFine>
inline F Act(F x, Activation act) {  // `act` is a constant wherever this is inlined
  switch (act) {
    case Activation::kSilu:
      return TimesSigmoid<kFine>(x, x);
    case Activation::kGelu:
      return Gelu<kFine>(x);
    case Activation::kQuickGelu:
      return TimesSigmoid<kFine>(x, 1.702f * x);
    case Activation::kRelu:
      return Max(F{}, x);
    case Activation::kTanh:
      return Tanh<kFine>(x);
    case Activation::kNone:
      break;
  }
  return x;
}

// An element type whose results need the fine functions.
template <class E>
inline constexpr bool kIsFine = sizeof(E) == sizeof(float);

}  // namespace mvd::kernels::MVD_ISA
