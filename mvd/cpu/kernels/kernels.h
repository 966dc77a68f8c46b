// The kernels that are our own, as one table of function pointers an ISA level. Each source file here is
// compiled once a level (CMakeLists.txt), inside a namespace of that level; nothing outside sees which one
// runs. A kernel does one serial piece of work on raw pointers; whoever calls it splits the work over
// threads. Sums and statistics are f32 (their combination double). E is float or BF16Bits. Pointers need no
// alignment beyond their type's; sizes may be odd; an output may be the very input where "in place" is said,
// and never overlaps otherwise.
#pragma once

#include <cstdint>

namespace mvd::kernels {

using BF16Bits = uint16_t;

// Same order as mvd::Act without kGeglu; kernels include no header of the IR.
enum class Activation { kNone, kSilu, kGelu, kQuickGelu, kRelu, kTanh };

// Mean and sum of squared deviations of one group over some rows; combined by Chan's rule.
struct GroupStats {
  double mean = 0;
  double m2 = 0;
};

// softmax(q k^T scale) v for one group of tokens and one head. Token i of q lies at q + i * q_stride
// (elements).
template <class E>
struct AttentionJob {
  const E* q;
  const E* k;
  const E* v;
  E* out;
  int64_t queries, keys;       // tokens
  int64_t width, value_width;  // channels of a head
  int64_t q_stride, k_stride, v_stride, out_stride;
  float scale;    // not negative
  void* scratch;  // attention_scratch(...) bytes, 64-byte aligned
};

// 3x3 convolution with stride 1 and one pixel of zeros around, in tiles of 2x2 output pixels; a frame has
// ceil(height / 2) ceil(width / 2) of them, row by row. One job does tiles [first, first + count), which may
// lie in several frames: target = act(conv(source) + bias + residual). Everything is channels-last; inputs
// and outputs are multiples of 16.
template <class E>
struct WinogradJob {
  const E* source;
  const void* weights;  // as winograd_pack leaves them
  int64_t height, width, inputs, outputs;
  int64_t first, count;
  const float* bias;  // a row of `outputs` for each bias_frames frames, or null
  int64_t bias_frames;
  Activation act;
  const void* residual;  // f32 or bf16, or null
  bool residual_bf16;
  void* target;  // f32 or bf16; may be the very residual
  bool target_bf16;
  void* scratch;  // 64-byte aligned
};

struct WinogradSizes {
  int64_t panels;   // pieces in which the weights are packed
  int64_t weights;  // bytes
  int64_t scratch;  // bytes
};

template <class E>
struct TypedKernels {
  // x (rows, channels) -> stats[groups] over these rows.
  void (*group_stats)(const E* x, int64_t rows, int64_t channels, int64_t groups, GroupStats* stats);
  // y = act(x * scale[c] + shift[c]); in place allowed.
  void (*scale_shift)(const E* x, int64_t rows, int64_t channels, const float* scale, const float* shift,
                      Activation act, E* y);
  // Normalised over channels; in place allowed.
  void (*layer_norm)(const E* x, int64_t rows, int64_t channels, const float* gamma, const float* beta,
                     double eps, E* y);
  void (*activate)(const E* x, int64_t n, Activation act, E* y);          // in place allowed
  void (*geglu)(const E* x, int64_t rows, int64_t channels, E* y);        // x (rows, 2 channels)
  void (*multiply)(const E* a, const E* b, int64_t n, E* y);              // a * b; in place allowed
  void (*affine)(const E* x, int64_t n, float scale, float shift, E* y);  // in place allowed
  void (*add)(const E* a, const E* b, int64_t n, E* y);                   // in place allowed
  void (*add_row)(const E* a, const float* row, int64_t rows, int64_t channels, E* y);  // in place allowed
  void (*blend)(const E* s, const E* r, float a, int64_t n, E* y);  // a s + (1-a) r; in place allowed
  // Many keys: keys and values are packed once, then tiles of queries meet blocks of keys with a running
  // softmax, so that no row of scores is ever whole in memory.
  void (*attention)(const AttentionJob<E>& job);
  int64_t (*attention_scratch)(int64_t queries, int64_t keys, int64_t width, int64_t value_width);  // bytes
  // Few keys (up to kFewKeys): straight from the tensors, no packing. `scratch` is not used.
  void (*attention_few)(const AttentionJob<E>& job);
  WinogradSizes (*winograd_sizes)(int64_t inputs, int64_t outputs, int64_t tiles);
  // One panel of w (outputs, inputs, 3, 3) into its place in `weights`, which is aligned to 64 bytes.
  void (*winograd_pack)(const float* w, int64_t inputs, int64_t outputs, int64_t panel, void* weights);
  void (*winograd)(const WinogradJob<E>& job);
};
inline constexpr int64_t kFewKeys = 32;

// The f32 residual stream meets bf16 layers: read f32, write bf16.
struct NarrowingKernels {
  void (*scale_shift)(const float* x, int64_t rows, int64_t channels, const float* scale, const float* shift,
                      Activation act, BF16Bits* y);
  void (*layer_norm)(const float* x, int64_t rows, int64_t channels, const float* gamma, const float* beta,
                     double eps, BF16Bits* y);
  void (*activate)(const float* x, int64_t n, Activation act, BF16Bits* y);
  void (*blend)(const float* s, const float* r, float a, int64_t n, BF16Bits* y);
};

struct KernelTable {
  const char* isa;
  void (*to_bf16)(const float* x, int64_t n, BF16Bits* y);  // rounds to nearest even, NaN stays NaN
  void (*to_f32)(const BF16Bits* x, int64_t n, float* y);
  TypedKernels<float> f32;
  TypedKernels<BF16Bits> bf16;
  NarrowingKernels narrowing;
};

template <class E>
const TypedKernels<E>& Typed(const KernelTable& table);
template <>
inline const TypedKernels<float>& Typed<float>(const KernelTable& table) {
  return table.f32;
}
template <>
inline const TypedKernels<BF16Bits>& Typed<BF16Bits>(const KernelTable& table) {
  return table.bf16;
}

}  // namespace mvd::kernels
