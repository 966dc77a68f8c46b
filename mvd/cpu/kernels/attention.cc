// Attention over many keys, after FlashAttention (Dao et al. 2022, arXiv 2205.14135): a tile of queries meets
// one block of keys after another, and scores live only for a few queries times a block.
#include "mvd/cpu/kernels/level.h"
#include "mvd/cpu/kernels/softmax.h"

namespace mvd::kernels::MVD_ISA {
namespace {

// A block's keys and values, a group's scores and results stay in L1 for a head of 64 channels. All keys and
// values pass once a tile of queries, from L2 or beyond.
constexpr int64_t kBlock = 64;
constexpr int64_t kGroup = kTileRows;
constexpr int64_t kGroups = 16;
constexpr int64_t kQueryTile = kGroup * kGroups;

// Sizes in words, and the places in scratch.
template <class E>
struct Layout {
  int64_t words, row_words;  // of one query or key; rounded up to whole vectors
  int64_t value_columns;     // of one value row, whole vectors
  int64_t blocks, key_block, value_block;
  int64_t queries_at, keys_at, values_at, results_at, scores_at, weights_at, states_at, end;  // floats

  Layout(int64_t keys, int64_t width, int64_t value_width) {
    words = (width + kPair<E> - 1) / kPair<E>;
    row_words = RoundUp(words, kLanes);
    value_columns = RoundUp(value_width, kLanes);
    blocks = (keys + kBlock - 1) / kBlock;
    key_block = words * kBlock;
    value_block = kBlock / kPair<E> * value_columns;
    int64_t at = 0;
    const auto place = [&](int64_t floats) {
      const int64_t start = at;
      at += RoundUp(floats, 16);  // 64 bytes
      return start;
    };
    queries_at = place(kQueryTile * row_words);
    keys_at = place(blocks * key_block);
    values_at = place(blocks * value_block);
    results_at = place(kQueryTile * value_columns);
    scores_at = place(kGroup * kBlock);
    weights_at = place(kGroup * kBlock);
    states_at = place(kGroups * int64_t(sizeof(Softmax) / sizeof(float)));
    end = at;
  }
};

template <class E>
void PackKeysAndValues(const AttentionJob<E>& job, const Layout<E>& at, float* scratch) {
  for (int64_t block = 0; block < at.blocks; ++block) {
    const int64_t first = block * kBlock, count = job.keys - first < kBlock ? job.keys - first : kBlock;
    float* keys = scratch + at.keys_at + block * at.key_block;
    for (int64_t i = 0; i < count; i += kLanes) {
      PackTransposed(job.k + (first + i) * job.k_stride, job.k_stride, count - i, job.width, keys + i,
                     kBlock);
    }
    float* values = scratch + at.values_at + block * at.value_block;
    PackColumns(job.v + first * job.v_stride, job.v_stride, count, job.value_width, values, at.value_columns);
    // What no key fills meets probability 0, and must be no NaN.
    const int64_t filled = (count + kPair<E> - 1) / kPair<E>;
    for (int64_t i = filled * at.value_columns; i < at.value_block; ++i) values[i] = 0;
  }
}

template <class E>
void AttendTile(const AttentionJob<E>& job, const Layout<E>& at, int64_t first, int64_t count,
                float* scratch) {
  const float *queries = scratch + at.queries_at, scale = job.scale * kLog2E;
  float *results = scratch + at.results_at, *scores = scratch + at.scores_at,
        *weights = scratch + at.weights_at;
  Softmax* states = reinterpret_cast<Softmax*>(scratch + at.states_at);
  PackRows(job.q + first * job.q_stride, job.q_stride, count, job.width, scratch + at.queries_at,
           at.row_words);
  for (int64_t i = 0; i < count * at.value_columns; ++i) results[i] = 0;
  for (int64_t i = 0; i < kGroups; ++i) Begin(states[i]);
  for (int64_t block = 0; block < at.blocks; ++block) {
    const int64_t keys = job.keys - block * kBlock < kBlock ? job.keys - block * kBlock : kBlock;
    const int64_t columns = RoundUp(keys, kLanes);
    const float* key_block = scratch + at.keys_at + block * at.key_block;
    const float* value_block = scratch + at.values_at + block * at.value_block;
    for (int64_t row = 0; row < count; row += kGroup) {
      const int64_t rows = count - row < kGroup ? count - row : kGroup;
      alignas(64) float factor[kSoftmaxRows];
      Multiply<E>(queries + row * at.row_words, at.row_words, key_block, kBlock, rows, columns / kLanes,
                  at.words, nullptr, scores, kBlock);
      Advance<E>(scores, kBlock, rows, keys, scale, states[row / kGroup], factor, weights, kBlock);
      Multiply<E>(weights, kBlock, value_block, at.value_columns, rows, at.value_columns / kLanes,
                  (columns + kPair<E> - 1) / kPair<E>, factor, results + row * at.value_columns,
                  at.value_columns);
    }
  }
  for (int64_t row = 0; row < count; row += kGroup) {
    Finish(results + row * at.value_columns, at.value_columns, count - row < kGroup ? count - row : kGroup,
           job.value_width, states[row / kGroup].sums, job.out + (first + row) * job.out_stride,
           job.out_stride);
  }
}

}  // namespace

template <class E>
int64_t AttentionScratch(int64_t, int64_t keys, int64_t width, int64_t value_width) {
  return Layout<E>(keys, width, value_width).end * int64_t(sizeof(float));
}

template <class E>
void Attention(const AttentionJob<E>& job) {
  const Layout<E> at(job.keys, job.width, job.value_width);
  float* scratch = static_cast<float*>(job.scratch);
  PackKeysAndValues(job, at, scratch);
  for (int64_t first = 0; first < job.queries; first += kQueryTile) {
    AttendTile(job, at, first, job.queries - first < kQueryTile ? job.queries - first : kQueryTile, scratch);
  }
}

template int64_t AttentionScratch<float>(int64_t, int64_t, int64_t, int64_t);
template int64_t AttentionScratch<BF16Bits>(int64_t, int64_t, int64_t, int64_t);
template void Attention<float>(const AttentionJob<float>&);
template void Attention<BF16Bits>(const AttentionJob<BF16Bits>&);

}  // namespace mvd::kernels::MVD_ISA
