// 3x3 convolutions by Winograd's F(2x2,3x3) (Lavin and Gray, arXiv 1509.09308): 16 multiplications for four
// pixels where the sum has 36. A block of tiles is transformed once; then, panel of outputs by panel, 16
// small matrix products fill a buffer that stays in the L2 cache until the inverse transform has read it.
#include "mvd/cpu/kernels/level.h"
#include "mvd/cpu/kernels/matmul.h"

namespace mvd::kernels::MVD_ISA {
namespace {

constexpr int64_t kPositions = 16;
constexpr int64_t kPanel = kTileColumns * kLanes;  // outputs that one product makes
constexpr int64_t kLine = 16;                      // words of a cache line

// Words from one position to the next. A line more than the rows take: strides of 4096 bytes would put all 16
// positions into the same few lines of the L1 cache.
int64_t PositionStride(int64_t tiles, int64_t words) { return RoundUp(tiles * words, kLine) + kLine; }

// Where a tile's upper left output pixel lies.
struct Place {
  int64_t frame, y, x;
};
template <class E>
Place PlaceOf(const WinogradJob<E>& job, int64_t tile) {
  const int64_t across = (job.width + 1) / 2, down = (job.height + 1) / 2;
  return {tile / (across * down), tile / across % down * 2, tile % across * 2};
}

inline void InputLine(const F* d, int64_t step, F* out) {  // B^T
  out[0] = d[0] - d[2 * step];
  out[step] = d[step] + d[2 * step];
  out[2 * step] = d[2 * step] - d[step];
  out[3 * step] = d[step] - d[3 * step];
}

// B^T d B of a 4x4 patch; a null pointer is a pixel outside, all zeros.
template <class E, bool kBorder>
inline void TransformPatch(const E* const* pixel, int64_t channels, float* words, int64_t stride) {
  for (int64_t c = 0; c < channels; c += kLanes) {
    F d[16], rows[16], v[16];
#pragma GCC unroll 16
    for (int i = 0; i < 16; ++i) d[i] = kBorder && !pixel[i] ? F{} : Load(pixel[i] + c);
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) InputLine(d + i, 4, rows + i);
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) InputLine(rows + 4 * i, 1, v + 4 * i);
#pragma GCC unroll 16
    for (int i = 0; i < 16; ++i) {
      float* to = words + i * stride;
      if constexpr (kPaired<E>) {
        Store(reinterpret_cast<BF16Bits*>(to) + c, v[i]);
      } else {
        Store(to + c, v[i]);
      }
    }
  }
}

// words[position][tile][input words].
template <class E>
void TransformInput(const WinogradJob<E>& job, float* words, int64_t stride) {
  for (int64_t t = 0; t < job.count; ++t, words += job.inputs / kPair<E>) {
    const Place at = PlaceOf(job, job.first + t);
    const E* pixel[16];
    bool border = false;
    for (int i = 0; i < 16; ++i) {
      const int64_t y = at.y + i / 4 - 1, x = at.x + i % 4 - 1;
      const bool inside = y >= 0 && y < job.height && x >= 0 && x < job.width;
      pixel[i] = inside ? job.source + ((at.frame * job.height + y) * job.width + x) * job.inputs : nullptr;
      border = border || !inside;
    }
    border ? TransformPatch<E, true>(pixel, job.inputs, words, stride)
           : TransformPatch<E, false>(pixel, job.inputs, words, stride);
  }
}

// A^T m A for one vector of outputs.
inline void InverseTransform(const float* m, int64_t stride, F* y) {
  F rows[8];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    const F a = Load(m + i * stride), b = Load(m + (4 + i) * stride), c = Load(m + (8 + i) * stride),
            d = Load(m + (12 + i) * stride);
    rows[i] = a + b + c;
    rows[4 + i] = b - c - d;
  }
#pragma GCC unroll 2
  for (int i = 0; i < 2; ++i) {
    const F* r = rows + 4 * i;
    y[2 * i] = r[0] + r[1] + r[2];
    y[2 * i + 1] = r[1] - r[2] - r[3];
  }
}

// From sums[position][tile][kPanel] to pixels' outputs [begin, end): bias, residual, activation.
template <class E, class O, class R>
void TransformOutput(const WinogradJob<E>& job, const float* sums, int64_t stride, int64_t begin,
                     int64_t end) {
  for (int64_t t = 0; t < job.count; ++t, sums += kPanel) {
    const Place at = PlaceOf(job, job.first + t);
    const float* bias = job.bias ? job.bias + at.frame / job.bias_frames * job.outputs : nullptr;
    const int64_t base = ((at.frame * job.height + at.y) * job.width + at.x) * job.outputs;
    const bool right = at.x + 1 < job.width, below = at.y + 1 < job.height;
    const bool there[4] = {true, right, below, right && below};
    for (int64_t c = begin; c < end; c += kLanes) {
      F y[4];
      InverseTransform(sums + (c - begin), stride, y);
      const F shift = bias ? Load(bias + c) : F{};
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) {
        if (!there[i]) continue;
        const int64_t offset = base + (i / 2 * job.width + i % 2) * job.outputs + c;
        F sum = y[i] + shift;
        if (job.residual) sum += Load(static_cast<const R*>(job.residual) + offset);
        Store(static_cast<O*>(job.target) + offset, Act<kIsFine<O>>(sum, job.act));
      }
    }
  }
}

template <class E>
void Finish(const WinogradJob<E>& job, const float* sums, int64_t stride, int64_t begin, int64_t end) {
  const auto run = [&]<class O>(O) {
    job.residual_bf16 ? TransformOutput<E, O, BF16Bits>(job, sums, stride, begin, end)
                      : TransformOutput<E, O, float>(job, sums, stride, begin, end);
  };
  job.target_bf16 ? run(BF16Bits{}) : run(float{});
}

inline void WeightLine(const F* g, int64_t step, F* out, int64_t out_step) {  // G
  const F ends = 0.5f * (g[0] + g[2 * step]), middle = 0.5f * g[step];
  out[0] = g[0];
  out[out_step] = ends + middle;
  out[2 * out_step] = ends - middle;
  out[3 * out_step] = g[2 * step];
}

// G w G^T of one input channel and a vector of outputs, of which `there` exist.
void TransformWeights(const float* w, int64_t output_stride, int64_t there, F* out) {
  float lanes[9][kLanes] = {};
  for (int64_t o = 0; o < there && o < kLanes; ++o) {
    for (int i = 0; i < 9; ++i) lanes[i][o] = w[o * output_stride + i];
  }
  F g[9], rows[12];
  for (int i = 0; i < 9; ++i) g[i] = Load(lanes[i]);
  for (int i = 0; i < 3; ++i) WeightLine(g + i, 3, rows + i, 3);
  for (int i = 0; i < 4; ++i) WeightLine(rows + 3 * i, 1, out + 4 * i, 1);
}

}  // namespace

template <class E>
WinogradSizes WinogradSizesOf(int64_t inputs, int64_t outputs, int64_t tiles) {
  const int64_t panels = (outputs + kPanel - 1) / kPanel, words = inputs / kPair<E>;
  return {.panels = panels,
          .weights = 4 * panels * kPositions * words * kPanel,
          .scratch = 4 * kPositions * (PositionStride(tiles, words) + PositionStride(tiles, kPanel))};
}

// weights[panel][position][input words][kPanel].
template <class E>
void WinogradPack(const float* w, int64_t inputs, int64_t outputs, int64_t panel, void* weights) {
  const int64_t words = inputs / kPair<E>;
  float* packed = static_cast<float*>(weights) + panel * kPositions * words * kPanel;
  for (int64_t k = 0; k < words; ++k) {
    for (int64_t c = 0; c < kPanel; c += kLanes) {
      const int64_t o = panel * kPanel + c;
      const float* from = w + (o * inputs + k * kPair<E>)*9;
      F values[kPair<E>][kPositions];
      for (int i = 0; i < kPair<E>; ++i) TransformWeights(from + 9 * i, inputs * 9, outputs - o, values[i]);
      for (int64_t position = 0; position < kPositions; ++position) {
        F word = values[0][position];
        if constexpr (kPaired<E>) word = F(Widen(Round(values[1][position])) << 16 | Widen(Round(word)));
        Store(packed + (position * words + k) * kPanel + c, word);
      }
    }
  }
}

template <class E>
void Winograd(const WinogradJob<E>& job) {
  const int64_t words = job.inputs / kPair<E>;
  const int64_t stride = PositionStride(job.count, words), sums_stride = PositionStride(job.count, kPanel);
  float* input = static_cast<float*>(job.scratch);
  float* sums = input + kPositions * stride;
  TransformInput(job, input, stride);
  const float* weights = static_cast<const float*>(job.weights);
  for (int64_t begin = 0; begin < job.outputs; begin += kPanel) {
    for (int64_t position = 0; position < kPositions; ++position, weights += words * kPanel) {
      MultiplyRows<E, kTileColumns>(input + position * stride, words, weights, kPanel, job.count, words,
                                    nullptr, sums + position * sums_stride, kPanel);
    }
    Finish(job, sums, sums_stride, begin, begin + kPanel < job.outputs ? begin + kPanel : job.outputs);
  }
}

template WinogradSizes WinogradSizesOf<float>(int64_t, int64_t, int64_t);
template WinogradSizes WinogradSizesOf<BF16Bits>(int64_t, int64_t, int64_t);
template void WinogradPack<float>(const float*, int64_t, int64_t, int64_t, void*);
template void WinogradPack<BF16Bits>(const float*, int64_t, int64_t, int64_t, void*);
template void Winograd<float>(const WinogradJob<float>&);
template void Winograd<BF16Bits>(const WinogradJob<BF16Bits>&);

}  // namespace mvd::kernels::MVD_ISA
