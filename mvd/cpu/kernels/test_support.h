// What the kernels' tests share: guarded buffers, the walk over levels and types, plain functions in double.
#pragma once

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <functional>
#include <new>
#include <random>
#include <string>
#include <vector>

#include "mvd/base/dtype.h"
#include "mvd/cpu/kernels/levels.h"

namespace mvd::kernels {

inline double ToDouble(float x) { return x; }
inline double ToDouble(BF16Bits x) {
  BF16 b;
  b.bits = x;
  return double(float(b));
}
template <class E>
E From(double x) {
  if constexpr (sizeof(E) == 4) {
    return float(x);
  } else {
    return BF16(float(x)).bits;
  }
}

// An array off any alignment but its type's, filled with NaN and guarded at both ends.
template <class E>
class Buffer {
 public:
  explicit Buffer(int64_t n) : values_(size_t(n) + 2 * kGuard, From<E>(std::nan(""))), n_(n) {}
  E* data() { return values_.data() + kGuard; }
  E& operator[](int64_t i) { return values_[size_t(i) + kGuard]; }
  int64_t size() const { return n_; }
  void Fill(std::mt19937& engine, double spread, double mean = 0) {
    std::normal_distribution<double> normal(mean, spread);
    for (int64_t i = 0; i < n_; ++i) (*this)[i] = From<E>(normal(engine));
  }
  bool GuardsHold() const {
    for (size_t i = 0; i < kGuard; ++i) {
      if (!std::isnan(ToDouble(values_[i])) || !std::isnan(ToDouble(values_[values_.size() - 1 - i])))
        return false;
    }
    return true;
  }

 private:
  static constexpr size_t kGuard = 67;  // odd, and more than one vector of either type
  std::vector<E> values_;
  int64_t n_;
};

// Half a unit in the last place of the stored type, relative: what rounding the result alone costs.
template <class E>
constexpr double kRounding = sizeof(E) == 4 ? 0x1p-24 : 0x1p-9;

// got against want: `absolute` beside what storing costs twice (once for an approximation next to a tie).
template <class E>
void ExpectNear(E got, double want, double absolute, const std::string& where) {
  if (std::isnan(want)) {
    EXPECT_TRUE(std::isnan(ToDouble(got))) << where;
    return;
  }
  if (got == From<E>(want)) return;  // infinities too
  EXPECT_NEAR(ToDouble(got), want, 2 * kRounding<E> * std::abs(want) + absolute) << where;
}

// Calls f for every level and both types.
template <class G>
void ForAll(G f) {
  for (const Level& level : Levels()) {
    if (!level.supported()) continue;
    SCOPED_TRACE(std::string(level.name));
    f(Typed<float>(level.table()), float{});
    f(Typed<BF16Bits>(level.table()), BF16Bits{});
  }
}

inline double Reference(Activation act, double x) {
  switch (act) {
    case Activation::kSilu:
      return x / (1 + std::exp(-x));
    case Activation::kGelu:
      return x < 0 ? 0.5 * x * std::erfc(-x / std::sqrt(2.0)) : x - 0.5 * x * std::erfc(x / std::sqrt(2.0));
    case Activation::kQuickGelu:
      return x / (1 + std::exp(-1.702 * x));
    case Activation::kRelu:
      return x < 0 ? 0 : x;  // NaN stays
    case Activation::kTanh:
      return std::tanh(x);
    case Activation::kNone:
      break;
  }
  return x;
}
constexpr Activation kActivations[] = {Activation::kNone,      Activation::kSilu, Activation::kGelu,
                                       Activation::kQuickGelu, Activation::kRelu, Activation::kTanh};

// simd.h promises 2e-7 + 2^-24 |x| and a few roundings; bf16 has coarse functions of 2e-4, a tenth of its
// rounding.
template <class E>
double ActivationBound(double x, double want) {
  return sizeof(E) == 4 ? 2e-7 + 4 * 0x1p-24 * std::abs(x) : 2e-4 * std::abs(want) + 1e-6;
}

}  // namespace mvd::kernels
