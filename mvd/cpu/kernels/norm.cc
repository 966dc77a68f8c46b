// Statistics of group norm and the whole of layer norm. Squares are of centred values: E[x^2] - E[x]^2 would
// lose all digits of a group whose mean is large beside its spread.
#include "mvd/cpu/kernels/level.h"
#include "mvd/cpu/kernels/simd.h"

namespace mvd::kernels::MVD_ISA {
namespace {

// Channels whose sums lie in L1 while rows stream by, and rows added in f32 before the sums go to double.
constexpr int64_t kChunk = 1024;
constexpr int64_t kRowBlock = 256;

// sums += the sum over kRows rows of f(x, center), for one stretch of split elements of which the first n
// exist.
template <int kRows, bool kWhole, class E, class G>
inline void AddStretch(const E* x, int64_t stride, int64_t n, const float* center, float* sums, G f) {
  constexpr int kParts = kSplit<E>;
  F total[kParts], middle[kParts];
#pragma GCC unroll 2
  for (int k = 0; k < kParts; ++k) total[k] = Load(sums + k * kLanes), middle[k] = Load(center + k * kLanes);
#pragma GCC unroll 4
  for (int row = 0; row < kRows; ++row) {
    F part[kParts];
    if constexpr (kWhole) {
      LoadSplit(x + row * stride, part);
    } else {
      E last[kParts * kLanes] = {};
      for (int64_t i = 0; i < n; ++i) last[i] = x[row * stride + i];
      LoadSplit(last, part);
    }
#pragma GCC unroll 2
    for (int k = 0; k < kParts; ++k) total[k] += f(part[k], middle[k]);
  }
#pragma GCC unroll 2
  for (int k = 0; k < kParts; ++k) Store(sums + k * kLanes, total[k]);
}

template <int kRows, class E, class G>
inline void AddRows(const E* x, int64_t stride, int64_t channels, const float* center, float* sums, G f) {
  constexpr int64_t kStretch = kSplit<E> * kLanes;
  int64_t c = 0;
  for (; c + kStretch <= channels; c += kStretch) {
    AddStretch<kRows, true>(x + c, stride, kStretch, center + c, sums + c, f);
  }
  if (c < channels) AddStretch<kRows, false>(x + c, stride, channels - c, center + c, sums + c, f);
}

// Calls f(c, end, group) for each group's channels [c, end) inside a chunk of n channels from `first`.
template <class G>
inline void ForGroups(int64_t first, int64_t n, int64_t width, G f) {
  for (int64_t c = 0; c < n;) {
    const int64_t group = (first + c) / width, next = (group + 1) * width - first;
    const int64_t end = next < n ? next : n;
    f(c, end, group);
    c = end;
  }
}

// stats[group].*total += the sum of f(x, mean) over the rows and the group's channels; mean 0 if `centers` is
// null.
template <class E, class G>
inline void AddGroupSums(const E* x, int64_t rows, int64_t channels, int64_t width, const GroupStats* centers,
                         double GroupStats::*total, GroupStats* stats, G f) {
  alignas(64) float center[kChunk] = {}, sums[kChunk];
  for (int64_t first = 0; first < channels; first += kChunk) {
    const int64_t n = channels - first < kChunk ? channels - first : kChunk;
    if (centers) {
      ForGroups(first, n, width, [&](int64_t c, int64_t end, int64_t group) {
        for (; c < end; ++c) center[SplitSlot<E>(c)] = float(centers[group].mean);
      });
    }
    for (int64_t start = 0; start < rows; start += kRowBlock) {
      const int64_t stop = rows - start < kRowBlock ? rows : start + kRowBlock;
      for (int64_t c = 0; c < kChunk; ++c) sums[c] = 0;
      int64_t row = start;
      for (; row + 4 <= stop; row += 4) AddRows<4>(x + row * channels + first, channels, n, center, sums, f);
      for (; row < stop; ++row) AddRows<1>(x + row * channels + first, channels, n, center, sums, f);
      ForGroups(first, n, width, [&](int64_t c, int64_t end, int64_t group) {
        double sum = 0;
        for (; c < end; ++c) sum += sums[SplitSlot<E>(c)];
        stats[group].*total += sum;
      });
    }
  }
}

}  // namespace

template <class E>
void GroupStatsOf(const E* x, int64_t rows, int64_t channels, int64_t groups, GroupStats* stats) {
  const int64_t width = channels / groups;
  const double count = double(rows * width);
  for (int64_t g = 0; g < groups; ++g) stats[g] = {};
  AddGroupSums(x, rows, channels, width, nullptr, &GroupStats::mean, stats, [](F v, F) { return v; });
  for (int64_t g = 0; g < groups; ++g) stats[g].mean /= count;
  AddGroupSums(x, rows, channels, width, stats, &GroupStats::m2, stats,
               [](F v, F mean) { return (v - mean) * (v - mean); });
}

namespace {

// The sum of f over a row. Eight running sums hide the additions' latency; the tail is summed by element, so
// that f of its padding does not count.
template <class E, class G>
inline float SumRow(const E* x, int64_t n, G f) {
  constexpr int kParts = kSplit<E>;
  constexpr int64_t kStretch = kParts * kLanes;
  F sum[4 * kParts] = {}, part[kParts];
  int64_t i = 0;
  for (; i + 4 * kStretch <= n; i += 4 * kStretch) {
#pragma GCC unroll 4
    for (int k = 0; k < 4; ++k) {
      LoadSplit(x + i + k * kStretch, part);
#pragma GCC unroll 2
      for (int p = 0; p < kParts; ++p) sum[k * kParts + p] += f(part[p]);
    }
  }
  for (; i + kStretch <= n; i += kStretch) {
    LoadSplit(x + i, part);
#pragma GCC unroll 2
    for (int p = 0; p < kParts; ++p) sum[p] += f(part[p]);
  }
  for (; i + kLanes <= n; i += kLanes) sum[0] += f(Load(x + i));
  F all{};
#pragma GCC unroll 8
  for (int k = 0; k < 4 * kParts; ++k) all += sum[k];
  float total = Sum(all);
  if (i < n) {
    const F last = f(LoadFirst(x + i, n - i));
    for (int64_t k = 0; k < n - i; ++k) total += last[k];
  }
  return total;
}

}  // namespace

template <class E, class O>
void LayerNorm(const E* x, int64_t rows, int64_t channels, const float* gamma, const float* beta, double eps,
               O* y) {
  for (int64_t row = 0; row < rows; ++row, x += channels, y += channels) {
    const float mean = SumRow(x, channels, [](F v) { return v; }) / float(channels);
    const float m2 = SumRow(x, channels, [=](F v) { return (v - mean) * (v - mean); });
    const float inverse = float(1 / __builtin_sqrt(double(m2) / double(channels) + eps));
    int64_t c = 0;
    for (; c + kLanes <= channels; c += kLanes) {
      Store(y + c, (Load(x + c) - mean) * inverse * Load(gamma + c) + Load(beta + c));
    }
    if (c == channels) continue;
    const int64_t n = channels - c;
    const F last = (LoadFirst(x + c, n) - mean) * inverse * LoadFirst(gamma + c, n) + LoadFirst(beta + c, n);
    StoreFirst(y + c, last, n);
  }
}

template void GroupStatsOf<float>(const float*, int64_t, int64_t, int64_t, GroupStats*);
template void GroupStatsOf<BF16Bits>(const BF16Bits*, int64_t, int64_t, int64_t, GroupStats*);
template void LayerNorm<float, float>(const float*, int64_t, int64_t, const float*, const float*, double,
                                      float*);
template void LayerNorm<float, BF16Bits>(const float*, int64_t, int64_t, const float*, const float*, double,
                                         BF16Bits*);
template void LayerNorm<BF16Bits, BF16Bits>(const BF16Bits*, int64_t, int64_t, const float*, const float*,
                                            double, BF16Bits*);

}  // namespace mvd::kernels::MVD_ISA
