// The inner loops of both attention kernels: packing, and a product of small matrices of 32-bit words. A word
// is one f32, or, where the processor multiplies them (kPaired), two bf16 neighbours along the summed axis.
// Words are kept as float whatever their bits are: they are only moved, broadcast and multiplied.
#pragma once

#include "mvd/cpu/kernels/simd.h"

namespace mvd::kernels::MVD_ISA {

template <class E>
inline constexpr bool kPaired = false;
#if defined(__AVX512BF16__)
template <>
inline constexpr bool kPaired<BF16Bits> = true;
#endif
template <class E>
inline constexpr int kPair = kPaired<E> ? 2 : 1;  // elements in a word

inline int64_t RoundUp(int64_t n, int64_t unit) { return (n + unit - 1) / unit * unit; }

template <class E>
inline F MultiplyAdd(F a, F b, F sum) {
#if defined(__AVX512BF16__)
  if constexpr (kPaired<E>) return _mm512_dpbf16_ps(sum, __m512bh(a), __m512bh(b));
#endif
  return a * b + sum;
}

// Up to kLanes words from n elements in a row; an odd last one is paired with 0.
template <class E>
inline F LoadWords(const E* p, int64_t n) {
#if defined(__AVX512BF16__)
  if constexpr (kPaired<E>) {
    if (n >= 2 * kLanes) return Load(reinterpret_cast<const float*>(p));
    return F(_mm512_maskz_loadu_epi16(__mmask32((1u << n) - 1), p));
  }
#endif
  return LoadUpTo(p, n);
}

// out (rows, width) words from rows of E; `ld` is a multiple of kLanes.
template <class E>
inline void PackRows(const E* x, int64_t stride, int64_t rows, int64_t width, float* out, int64_t ld) {
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t w = 0; w * kPair<E> < width; w += kLanes) {
      Store(out + row * ld + w, LoadWords(x + row * stride + w * kPair<E>, width - w * kPair<E>));
    }
  }
}

// Alternate lanes of a and b, taken from their lower or their upper halves.
template <bool kUpper>
inline F Interleave(F a, F b) {
#if defined(__AVX512F__)
  constexpr I kLow = {0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23};
#elif defined(__AVX2__)
  constexpr I kLow = {0, 8, 1, 9, 2, 10, 3, 11};
#else
  constexpr I kLow = {0, 4, 1, 5};
#endif
  return __builtin_shuffle(a, b, kUpper ? kLow + kLanes / 2 : kLow);
}

// out[word * ld + row] for up to kLanes rows; missing rows give zeros. `out` takes whole vectors.
template <class E>
inline void PackTransposed(const E* x, int64_t stride, int64_t rows, int64_t width, float* out, int64_t ld) {
  const int64_t words = (width + kPair<E> - 1) / kPair<E>;
  for (int64_t w = 0; w < words; w += kLanes) {
    F v[kLanes], next[kLanes];
    for (int64_t row = 0; row < kLanes; ++row) {
      v[row] = row < rows ? LoadWords(x + row * stride + w * kPair<E>, width - w * kPair<E>) : F{};
    }
    // log2(kLanes) perfect shuffles of rows i and i + kLanes/2 transpose the square.
#pragma GCC unroll 4
    for (int step = 1; step < kLanes; step *= 2) {
#pragma GCC unroll 8
      for (int i = 0; i < kLanes / 2; ++i) {
        next[2 * i] = Interleave<false>(v[i], v[i + kLanes / 2]);
        next[2 * i + 1] = Interleave<true>(v[i], v[i + kLanes / 2]);
      }
#pragma GCC unroll 16
      for (int i = 0; i < kLanes; ++i) v[i] = next[i];
    }
    const int64_t n = words - w < kLanes ? words - w : kLanes;
    for (int64_t i = 0; i < n; ++i) Store(out + (w + i) * ld, v[i]);
  }
}

// out (ceil(rows / kPair), ld) words: word [j][c] is x[j][c], or the pair x[2j][c], x[2j+1][c] with zeros
// past the last row. `out` takes whole vectors.
template <class E>
inline void PackColumns(const E* x, int64_t stride, int64_t rows, int64_t width, float* out, int64_t ld) {
  for (int64_t row = 0; row < rows; row += kPair<E>, out += ld) {
    const E* p = x + row * stride;
    for (int64_t c = 0; c < width; c += kLanes) {
      F word = LoadUpTo(p + c, width - c);
      if constexpr (kPaired<E>) {
        const F upper = row + 1 < rows ? LoadUpTo(p + stride + c, width - c) : F{};
        word = F(U(upper) | (U(word) >> 16));
      }
      Store(out + c, word);
    }
  }
}

// Register tile: kTileRows x kTileColumns sums, a row of b and one broadcast of a fill the register file.
#if defined(__AVX512F__)
inline constexpr int kTileRows = 6, kTileColumns = 4;
#else
inline constexpr int kTileRows = 6, kTileColumns = 2;
#endif

// out[r][c] = factor[r] * out[r][c] + sum over k of a[r][k] b[k][c]; a null factor means 0, and out is not
// read. Columns count vectors.
template <class E, int kRows, int kColumns>
inline void MultiplyTile(const float* a, int64_t lda, const float* b, int64_t ldb, int64_t depth,
                         const float* factor, float* out, int64_t ldo) {
  F sum[kRows][kColumns] = {};
  if (factor) {
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
      for (int c = 0; c < kColumns; ++c) sum[r][c] = factor[r] * Load(out + r * ldo + c * kLanes);
    }
  }
  for (int64_t k = 0; k < depth; ++k) {
    F row[kColumns];
#pragma GCC unroll 8
    for (int c = 0; c < kColumns; ++c) row[c] = Load(b + k * ldb + c * kLanes);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      const F value = Set(a[r * lda + k]);
#pragma GCC unroll 8
      for (int c = 0; c < kColumns; ++c) sum[r][c] = MultiplyAdd<E>(value, row[c], sum[r][c]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
    for (int c = 0; c < kColumns; ++c) Store(out + r * ldo + c * kLanes, sum[r][c]);
  }
}

template <class E, int kColumns>
inline void MultiplyRows(const float* a, int64_t lda, const float* b, int64_t ldb, int64_t rows,
                         int64_t depth, const float* factor, float* out, int64_t ldo) {
  using Tile = void (*)(const float*, int64_t, const float*, int64_t, int64_t, const float*, float*, int64_t);
  static constexpr Tile kTiles[kTileRows] = {MultiplyTile<E, 1, kColumns>, MultiplyTile<E, 2, kColumns>,
                                             MultiplyTile<E, 3, kColumns>, MultiplyTile<E, 4, kColumns>,
                                             MultiplyTile<E, 5, kColumns>, MultiplyTile<E, 6, kColumns>};
  for (int64_t left = rows; left > 0;) {
    const int64_t tiles = (left + kTileRows - 1) / kTileRows, n = (left + tiles - 1) / tiles;  // even shares
    kTiles[n - 1](a, lda, b, ldb, depth, factor, out, ldo);
    a += n * lda, out += n * ldo, left -= n;
    if (factor) factor += n;
  }
}

// The same for any size; `columns` vectors.
template <class E>
inline void Multiply(const float* a, int64_t lda, const float* b, int64_t ldb, int64_t rows, int64_t columns,
                     int64_t depth, const float* factor, float* out, int64_t ldo) {
  for (int64_t c = 0; c < columns;
       c += kTileColumns, b += kTileColumns * kLanes, out += kTileColumns * kLanes) {
    const int64_t n = columns - c;
    if (n >= kTileColumns) {
      MultiplyRows<E, kTileColumns>(a, lda, b, ldb, rows, depth, factor, out, ldo);
    } else if (n == 1) {
      MultiplyRows<E, 1>(a, lda, b, ldb, rows, depth, factor, out, ldo);
    } else if constexpr (kTileColumns == 4) {
      if (n == 2) MultiplyRows<E, 2>(a, lda, b, ldb, rows, depth, factor, out, ldo);
      if (n == 3) MultiplyRows<E, 3>(a, lda, b, ldb, rows, depth, factor, out, ldo);
    }
  }
}

}  // namespace mvd::kernels::MVD_ISA
