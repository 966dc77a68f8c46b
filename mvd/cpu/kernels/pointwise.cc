// What touches each element once. All are bound by memory, so each is one loop over whole vectors and one
// tail.
#include "mvd/cpu/kernels/level.h"
#include "mvd/cpu/kernels/simd.h"

namespace mvd::kernels::MVD_ISA {
namespace {

// y[i] = f(i, read), where read(p) loads elements i.. of an array; `read` knows how many there are.
template <class E, class G>
inline void ForVectors(int64_t n, E* y, G f) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) Store(y + i, f(i, [](const auto* p) { return Load(p); }));
  if (i == n) return;
  const int64_t rest = n - i;
  StoreFirst(y + i, f(i, [rest](const auto* p) { return LoadFirst(p, rest); }), rest);
}

// Calls f with the activation as a compile-time constant, so that the choice is made outside the loops.
template <Activation kAct>
struct Constant {
  static constexpr Activation value = kAct;
};
template <class G>
inline void WithActivation(Activation act, G f) {
  switch (act) {
    case Activation::kNone:
      return f(Constant<Activation::kNone>{});
    case Activation::kSilu:
      return f(Constant<Activation::kSilu>{});
    case Activation::kGelu:
      return f(Constant<Activation::kGelu>{});
    case Activation::kQuickGelu:
      return f(Constant<Activation::kQuickGelu>{});
    case Activation::kRelu:
      return f(Constant<Activation::kRelu>{});
    case Activation::kTanh:
      return f(Constant<Activation::kTanh>{});
  }
}

}  // namespace

template <class E, class O>
void ScaleShift(const E* x, int64_t rows, int64_t channels, const float* scale, const float* shift,
                Activation act, O* y) {
  WithActivation(act, [&](auto kind) {
    for (int64_t row = 0; row < rows; ++row) {
      const E* from = x + row * channels;
      ForVectors(channels, y + row * channels, [=](int64_t i, auto read) {
        return Act<kIsFine<O>>(read(from + i) * read(scale + i) + read(shift + i), kind.value);
      });
    }
  });
}

template <class E, class O>
void Activate(const E* x, int64_t n, Activation act, O* y) {
  WithActivation(act, [&](auto kind) {
    ForVectors(n, y, [=](int64_t i, auto read) { return Act<kIsFine<O>>(read(x + i), kind.value); });
  });
}

template <class E>
void Geglu(const E* x, int64_t rows, int64_t channels, E* y) {
  for (int64_t row = 0; row < rows; ++row) {
    const E *value = x + row * 2 * channels, *gate = value + channels;
    ForVectors(channels, y + row * channels,
               [=](int64_t i, auto read) { return read(value + i) * Gelu<kIsFine<E>>(read(gate + i)); });
  }
}

template <class E>
void Multiply(const E* a, const E* b, int64_t n, E* y) {
  ForVectors(n, y, [=](int64_t i, auto read) { return read(a + i) * read(b + i); });
}

template <class E>
void Affine(const E* x, int64_t n, float scale, float shift, E* y) {
  ForVectors(n, y, [=](int64_t i, auto read) { return read(x + i) * scale + shift; });
}

template <class E>
void Add(const E* a, const E* b, int64_t n, E* y) {
  ForVectors(n, y, [=](int64_t i, auto read) { return read(a + i) + read(b + i); });
}

template <class E>
void AddRow(const E* a, const float* row, int64_t rows, int64_t channels, E* y) {
  for (int64_t k = 0; k < rows; ++k) {
    const E* from = a + k * channels;
    ForVectors(channels, y + k * channels,
               [=](int64_t i, auto read) { return read(from + i) + read(row + i); });
  }
}

template <class E, class O>
void Blend(const E* s, const E* r, float a, int64_t n, O* y) {
  const float b = 1.0f - a;
  ForVectors(n, y, [=](int64_t i, auto read) { return a * read(s + i) + b * read(r + i); });
}

template void ScaleShift<float, float>(const float*, int64_t, int64_t, const float*, const float*, Activation,
                                       float*);
template void ScaleShift<float, BF16Bits>(const float*, int64_t, int64_t, const float*, const float*,
                                          Activation, BF16Bits*);
template void ScaleShift<BF16Bits, BF16Bits>(const BF16Bits*, int64_t, int64_t, const float*, const float*,
                                             Activation, BF16Bits*);
template void Activate<float, float>(const float*, int64_t, Activation, float*);
template void Activate<float, BF16Bits>(const float*, int64_t, Activation, BF16Bits*);
template void Activate<BF16Bits, BF16Bits>(const BF16Bits*, int64_t, Activation, BF16Bits*);
template void Geglu<float>(const float*, int64_t, int64_t, float*);
template void Geglu<BF16Bits>(const BF16Bits*, int64_t, int64_t, BF16Bits*);
template void Multiply<float>(const float*, const float*, int64_t, float*);
template void Multiply<BF16Bits>(const BF16Bits*, const BF16Bits*, int64_t, BF16Bits*);
template void Affine<float>(const float*, int64_t, float, float, float*);
template void Affine<BF16Bits>(const BF16Bits*, int64_t, float, float, BF16Bits*);
template void Add<float>(const float*, const float*, int64_t, float*);
template void Add<BF16Bits>(const BF16Bits*, const BF16Bits*, int64_t, BF16Bits*);
template void AddRow<float>(const float*, const float*, int64_t, int64_t, float*);
template void AddRow<BF16Bits>(const BF16Bits*, const float*, int64_t, int64_t, BF16Bits*);
template void Blend<float, float>(const float*, const float*, float, int64_t, float*);
template void Blend<float, BF16Bits>(const float*, const float*, float, int64_t, BF16Bits*);
template void Blend<BF16Bits, BF16Bits>(const BF16Bits*, const BF16Bits*, float, int64_t, BF16Bits*);

}  // namespace mvd::kernels::MVD_ISA
