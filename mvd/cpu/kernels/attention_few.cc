// Attention over a few keys, as over the frames of one pixel: one block of keys, packed on the stack, where
// copying costs as little as reading tokens that lie a whole picture apart.
#include "mvd/cpu/kernels/level.h"
#include "mvd/cpu/kernels/softmax.h"

namespace mvd::kernels::MVD_ISA {
namespace {

constexpr int64_t kWords = 64;    // of a head's channels at a time
constexpr int64_t kColumns = 64;  // of a value's channels at a time

struct Buffers {
  alignas(64) float queries[kSoftmaxRows * kWords];
  alignas(64) float keys[kWords * kFewKeys];
  alignas(64) float values[kFewKeys * kColumns];
  alignas(64) float scores[kSoftmaxRows * kFewKeys];
  alignas(64) float weights[kSoftmaxRows * kFewKeys];
  alignas(64) float results[kSoftmaxRows * kColumns];
  alignas(64) float factor[kSoftmaxRows];
  Softmax state;
};

template <class E>
inline void Scores(const AttentionJob<E>& job, int64_t first, int64_t rows, int64_t columns, Buffers& b) {
  for (int64_t i = 0; i < rows; ++i) b.factor[i] = 1;
  for (int64_t c = 0; c < job.width; c += kWords * kPair<E>) {
    const int64_t width = job.width - c < kWords * kPair<E> ? job.width - c : kWords * kPair<E>;
    const int64_t words = (width + kPair<E> - 1) / kPair<E>, row_words = RoundUp(words, kLanes);
    for (int64_t k = 0; k < job.keys; k += kLanes) {
      PackTransposed(job.k + k * job.k_stride + c, job.k_stride, job.keys - k, width, b.keys + k, columns);
    }
    PackRows(job.q + first * job.q_stride + c, job.q_stride, rows, width, b.queries, row_words);
    Multiply<E>(b.queries, row_words, b.keys, columns, rows, columns / kLanes, words,
                c == 0 ? nullptr : b.factor, b.scores, columns);
  }
}

template <class E>
inline void Attend(const AttentionJob<E>& job, int64_t first, int64_t rows, Buffers& b) {
  const int64_t columns = RoundUp(job.keys, kLanes);
  const int64_t weight_words = RoundUp((columns + kPair<E> - 1) / kPair<E>, kLanes);
  Begin(b.state);
  Scores(job, first, rows, columns, b);
  Advance<E>(b.scores, columns, rows, job.keys, job.scale * kLog2E, b.state, b.factor, b.weights,
             weight_words);
  for (int64_t c = 0; c < job.value_width; c += kColumns) {
    const int64_t width = job.value_width - c < kColumns ? job.value_width - c : kColumns;
    const int64_t ld = RoundUp(width, kLanes);
    PackColumns(job.v + c, job.v_stride, job.keys, width, b.values, ld);
    Multiply<E>(b.weights, weight_words, b.values, ld, rows, ld / kLanes,
                (job.keys + kPair<E> - 1) / kPair<E>, nullptr, b.results, ld);
    Finish(b.results, ld, rows, width, b.state.sums, job.out + first * job.out_stride + c, job.out_stride);
  }
}

}  // namespace

template <class E>
void AttentionFew(const AttentionJob<E>& job) {
  Buffers buffers;
  for (int64_t first = 0; first < job.queries; first += kSoftmaxRows) {
    const int64_t left = job.queries - first;
    Attend(job, first, left < kSoftmaxRows ? left : kSoftmaxRows, buffers);
  }
}

template void AttentionFew<float>(const AttentionJob<float>&);
template void AttentionFew<BF16Bits>(const AttentionJob<BF16Bits>&);

}  // namespace mvd::kernels::MVD_ISA
