// Arithmetic of the procedural source: nothing but + - * / sqrt and integers, so that every machine computes
// the same bytes (libm's sin, exp and pow differ between systems).
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>

#include "mvd/base/rng.h"

namespace mvd::synth {

// Four floats in one register (GCC and clang): red, green, blue (linear light) and alpha, or any four.
typedef float V4 __attribute__((vector_size(16)));

inline V4 Splat(float x) { return V4{x, x, x, x}; }

inline int FloorInt(float x) {
  const int i = int(x);
  return i - (float(i) > x);
}
inline double Floor(double x) {
  const double i = double(int64_t(x));
  return i - (i > x);
}
inline float Clamp01(float x) { return std::min(std::max(x, 0.0f), 1.0f); }
inline float Mix(float a, float b, float t) { return a + (b - a) * t; }
inline V4 Mix(V4 a, V4 b, float t) { return a + (b - a) * Splat(t); }
inline float SmoothStep(float lo, float hi, float x) {
  const float t = Clamp01((x - lo) / (hi - lo));
  return t * t * (3 - 2 * t);
}

// sin(2 pi x): x in turns. Odd polynomial on a quarter turn, error below 4e-6.
inline float Sin(double turns) {
  double r = turns - Floor(turns + 0.5);
  if (r > 0.25) r = 0.5 - r;
  if (r < -0.25) r = -0.5 - r;
  const double q = r * r;
  return float(r *
               (6.283185307 + q * (-41.34170224 + q * (81.60524928 + q * (-76.70585975 + q * 42.05869394)))));
}
inline float Cos(double turns) { return Sin(turns + 0.25); }

// 2^x, relative error below 2e-6.
inline double Exp2(double x) {
  const double whole = Floor(x), f = (x - whole) * 0.693147180559945;
  const double series =
      1 + f * (1 + f * (0.5 + f * (1.0 / 6 + f * (1.0 / 24 + f * (1.0 / 120 + f * (1.0 / 720 + f / 5040))))));
  return std::ldexp(series, int(whole));
}

// log2 of x > 0, linear between powers of two (error below 0.09): good enough to choose a mip level.
inline float RoughLog2(float x) { return float(int32_t(std::bit_cast<uint32_t>(x)) - 0x3F800000) * 0x1p-23f; }

// atan2(y, x) in turns, in [-0.5, 0.5]; error below 2e-5.
inline float Atan2(float y, float x) {
  const float ax = std::abs(x), ay = std::abs(y);
  const float small = std::min(ax, ay), large = std::max(ax, ay);
  if (large == 0) return 0;
  const float q = small / large, s = q * q;
  float turns = q * (0.1591336f + s * (-0.0525688f + s * (0.0286703f + s * (-0.0135493f + s * 0.0033160f))));
  if (ay > ax) turns = 0.25f - turns;
  if (x < 0) turns = 0.5f - turns;
  return y < 0 ? -turns : turns;
}

// acos(x) in turns, in [0, 0.5]; Abramowitz and Stegun 4.4.45.
inline float Acos(float x) {
  const float a = std::min(std::abs(x), 1.0f);
  const float turns = std::sqrt(1 - a) * (0.249991f + a * (-0.0337590f + a * (0.0118190f - a * 0.00298086f)));
  return x < 0 ? 0.5f - turns : turns;
}

inline uint32_t Hash(uint32_t x) {
  x = (x ^ (x >> 16)) * 0x7FEB352Du;
  x = (x ^ (x >> 15)) * 0x846CA68Bu;
  return x ^ (x >> 16);
}
inline uint32_t Hash(uint32_t seed, int x, int y) {
  return Hash(seed ^ uint32_t(x) * 0x9E3779B1u ^ Hash(uint32_t(y) * 0x85EBCA77u + seed));
}
// In [0, 1).
inline float Unit(uint32_t hash) { return float(hash >> 8) * 0x1p-24f; }

// The random stream of one clip: Philox, so that (seed, index) names it and no clip needs its predecessors.
// C++ leaves the order of a call's arguments open: two draws stand in one call only within braces.
class Stream {
 public:
  Stream(uint64_t seed, uint64_t index) : seed_(seed), index_(index) {}

  uint32_t Bits() {
    if (drawn_ % 4 == 0) {
      block_ = Philox4x32({uint32_t(index_), uint32_t(index_ >> 32), drawn_ / 4, 0x73796E74u},
                          {uint32_t(seed_), uint32_t(seed_ >> 32)});
    }
    return block_[drawn_++ % 4];
  }
  float Uniform() { return Unit(Bits()); }
  float Range(float lo, float hi) { return lo + (hi - lo) * Uniform(); }
  // Every octave between lo > 0 and hi equally likely.
  float LogRange(float lo, float hi) {
    const double octaves = Range(0, 1) * RoughLog2(hi / lo);
    return std::min(lo * float(Exp2(octaves)), hi);
  }
  int Int(int n) { return int(uint64_t(Bits()) * uint64_t(n) >> 32); }
  bool Chance(float p) { return Uniform() < p; }
  // Of either sign, its size between lo and hi.
  float Signed(float lo, float hi) {
    const float sign = Sign();
    return sign * Range(lo, hi);
  }
  float Sign() { return Chance(0.5f) ? 1.0f : -1.0f; }

 private:
  uint64_t seed_, index_;
  uint32_t drawn_ = 0;
  std::array<uint32_t, 4> block_{};
};

// A projective map of the plane, row by row; affine where the last row is 0 0 1.
struct Mat3 {
  std::array<double, 9> m{1, 0, 0, 0, 1, 0, 0, 0, 1};

  static Mat3 Scale(double x, double y) { return {{x, 0, 0, 0, y, 0, 0, 0, 1}}; }
  static Mat3 Shift(double x, double y) { return {{1, 0, x, 0, 1, y, 0, 0, 1}}; }
  static Mat3 Turn(double turns) {
    const double c = Cos(turns), s = Sin(turns);
    return {{c, -s, 0, s, c, 0, 0, 0, 1}};
  }
  bool Affine() const { return m[6] == 0 && m[7] == 0; }
  std::array<double, 2> operator()(double x, double y) const {
    const double w = m[6] * x + m[7] * y + m[8];
    return {(m[0] * x + m[1] * y + m[2]) / w, (m[3] * x + m[4] * y + m[5]) / w};
  }
  Mat3 operator*(const Mat3& b) const {
    Mat3 product;
    for (int i = 0; i < 3; ++i) {
      for (int j = 0; j < 3; ++j) {
        product.m[i * 3 + j] = m[i * 3] * b.m[j] + m[i * 3 + 1] * b.m[3 + j] + m[i * 3 + 2] * b.m[6 + j];
      }
    }
    return product;
  }
  // Of a regular matrix, scaled so that an affine one stays affine.
  Mat3 Inverse() const {
    const auto& a = m;
    Mat3 r{{a[4] * a[8] - a[5] * a[7], a[2] * a[7] - a[1] * a[8], a[1] * a[5] - a[2] * a[4],
            a[5] * a[6] - a[3] * a[8], a[0] * a[8] - a[2] * a[6], a[2] * a[3] - a[0] * a[5],
            a[3] * a[7] - a[4] * a[6], a[1] * a[6] - a[0] * a[7], a[0] * a[4] - a[1] * a[3]}};
    const double scale = Affine() ? 1 / r.m[8] : 1 / (a[0] * r.m[0] + a[1] * r.m[3] + a[2] * r.m[6]);
    for (double& x : r.m) x *= scale;
    return r;
  }
};

}  // namespace mvd::synth
