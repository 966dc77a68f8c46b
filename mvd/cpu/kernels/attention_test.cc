// Attention kernels against plain loops in double.
#include "mvd/cpu/kernels/test_support.h"

namespace mvd::kernels {
namespace {

struct AttentionCase {
  int64_t queries, keys, width, value_width;
  double spread = 1;  // of queries and keys
  float scale = 0;    // 0: 1 / sqrt(width)
  int64_t gap = 5;    // elements between tokens
};

// Runs one kernel and compares with double. Scratch is filled with NaN: what packing left out would show.
template <class E>
void CheckAttention(const TypedKernels<E>& k, const AttentionCase& c, bool few) {
  SCOPED_TRACE("queries " + std::to_string(c.queries) + " keys " + std::to_string(c.keys) + " width " +
               std::to_string(c.width) + " values " + std::to_string(c.value_width) + (few ? " few" : ""));
  std::mt19937 engine(5);
  const int64_t step = c.width + c.gap, value_step = c.value_width + c.gap;
  Buffer<E> q(c.queries * step), key(c.keys * step), v(c.keys * value_step), out(c.queries * value_step);
  q.Fill(engine, c.spread);
  key.Fill(engine, c.spread);
  v.Fill(engine, 1, 0.5);
  const int64_t bytes = k.attention_scratch(c.queries, c.keys, c.width, c.value_width);
  const int64_t guard = 64;
  float* scratch = static_cast<float*>(::operator new(size_t(bytes + 4 * guard), std::align_val_t(64)));
  for (int64_t i = 0; i < bytes / 4 + guard; ++i) scratch[i] = std::nanf("");
  const float scale = c.scale == 0 ? float(1 / std::sqrt(double(c.width))) : c.scale;
  const AttentionJob<E> job{q.data(),      key.data(), v.data(), out.data(), c.queries,  c.keys, c.width,
                            c.value_width, step,       step,     value_step, value_step, scale,  scratch};
  few ? k.attention_few(job) : k.attention(job);
  std::vector<double> p(size_t(c.keys));
  for (int64_t i = 0; i < c.queries; ++i) {
    double top = -INFINITY, sum = 0, size = 0;  // size: of the terms a score sums
    for (int64_t j = 0; j < c.keys; ++j) {
      double s = 0, terms = 0;
      for (int64_t w = 0; w < c.width; ++w) {
        const double product = ToDouble(q[i * step + w]) * ToDouble(key[j * step + w]);
        s += product, terms += std::abs(product);
      }
      p[size_t(j)] = s * scale;
      top = std::max(top, p[size_t(j)]);
      size = std::max(size, terms * scale);
    }
    for (double& x : p) sum += x = std::exp(x - top);
    for (int64_t w = 0; w < c.value_width; ++w) {
      double want = 0, spread = 0;
      for (int64_t j = 0; j < c.keys; ++j) want += p[size_t(j)] / sum * ToDouble(v[j * value_step + w]);
      for (int64_t j = 0; j < c.keys; ++j) {
        spread += p[size_t(j)] / sum * std::abs(ToDouble(v[j * value_step + w]) - want);
      }
      // A score is off by a few 2^-24 of its terms, a probability relatively by twice that and by its own
      // rounding (2^-9 in bf16; 2e-7 of exp2 and the sums in f32). What all share cancels, so the result
      // moves by that times the values' weighted deviation from it.
      const double relative = 8 * 0x1p-24 * (size + 4) + (sizeof(E) == 2 ? 1.1 * 0x1p-9 : 0);
      ExpectNear(out[i * value_step + w], want, 2 * relative * spread + 8 * 0x1p-24 * (std::abs(want) + 1),
                 "query " + std::to_string(i) + " channel " + std::to_string(w));
    }
    for (int64_t w = c.value_width; w < value_step; ++w) {
      EXPECT_TRUE(std::isnan(ToDouble(out[i * value_step + w]))) << "wrote between tokens";
    }
  }
  EXPECT_TRUE(out.GuardsHold());
  for (int64_t i = 0; i < guard; ++i) EXPECT_TRUE(std::isnan(scratch[bytes / 4 + i])) << "wrote past scratch";
  ::operator delete(scratch, std::align_val_t(64));
}

TEST(Attention, EverySizeUpTo70) {
  ForAll([]<class E>(const TypedKernels<E>& k, E) {
    for (int64_t n = 1; n <= 70; ++n) {
      CheckAttention(k, {n, 71 - n, n * 7 % 70 + 1, n * 11 % 70 + 1}, false);
      CheckAttention(k, {n, n % 32 + 1, n * 7 % 70 + 1, n * 11 % 70 + 1}, true);
    }
  });
}

TEST(Attention, TheModelsHeads) {
  ForAll([]<class E>(const TypedKernels<E>& k, E) {
    CheckAttention(k, {133, 200, 64, 64}, false);
    CheckAttention(k, {257, 257, 80, 80}, false);
    CheckAttention(k, {13, 65, 512, 512}, false);
    CheckAttention(k, {14, 14, 64, 64, 1, 0, 640}, true);
    CheckAttention(k, {25, 25, 64, 64, 1, 0, 640}, true);
    CheckAttention(k, {40, 32, 300, 200}, true);  // more channels and queries than one pass takes
    CheckAttention(k, {5, 1, 64, 64}, true);
  });
}

TEST(Attention, SharpAndHugeLogits) {
  ForAll([]<class E>(const TypedKernels<E>& k, E) {
    for (const bool few : {false, true}) {
      const int64_t keys = few ? 30 : 150;
      CheckAttention(k, {20, keys, 64, 64, 3.2}, few);    // logits of +-80
      CheckAttention(k, {20, keys, 64, 64, 1e3}, few);    // one key takes all, others underflow
      CheckAttention(k, {20, keys, 33, 17, 1e-20}, few);  // all alike
      CheckAttention(k, {20, keys, 64, 64, 1, 1e-30f}, few);
    }
  });
}

// The largest score comes last, or first: the running maximum must rescale, or must not.
TEST(Attention, RisingAndFallingScores) {
  ForAll([]<class E>(const TypedKernels<E>& k, E) {
    for (const double slope : {0.5, -0.5}) {
      for (const int64_t keys : {int64_t{31}, int64_t{200}}) {
        Buffer<E> q(1), key(keys), v(keys), out(1);
        q[0] = From<E>(1);
        double sum = 0, want = 0;
        for (int64_t j = 0; j < keys; ++j) {
          key[j] = From<E>(slope * double(j));
          v[j] = From<E>(double(j % 5));
          const double p = std::exp(ToDouble(key[j]) - (slope > 0 ? slope * double(keys - 1) : 0));
          sum += p;
          want += p * ToDouble(v[j]);
        }
        std::vector<float> memory(size_t(k.attention_scratch(1, keys, 1, 1)) / 4 + 16);
        float* scratch = memory.data();
        while (reinterpret_cast<uintptr_t>(scratch) % 64 != 0) ++scratch;
        const AttentionJob<E> job{q.data(), key.data(), v.data(), out.data(), 1, keys, 1,
                                  1,        1,          1,        1,          1, 1,    scratch};
        keys <= kFewKeys ? k.attention_few(job) : k.attention(job);
        // Values deviate by up to 4 from the result: bf16 probabilities move it by 4 * 2^-8 at most, f32 ones
        // by 1e-5.
        ExpectNear(out[0], want / sum, sizeof(E) == 2 ? 0x1p-6 : 1e-5, "slope " + std::to_string(slope));
      }
    }
  });
}

TEST(Attention, NanShows) {
  ForAll([]<class E>(const TypedKernels<E>& k, E) {
    std::mt19937 engine(6);
    Buffer<E> q(1), key(4), v(4), out(1);  // q stays NaN
    key.Fill(engine, 1);
    v.Fill(engine, 1);
    out[0] = 0;
    k.attention_few({q.data(), key.data(), v.data(), out.data(), 1, 4, 1, 1, 1, 1, 1, 1, 1, nullptr});
    EXPECT_TRUE(std::isnan(ToDouble(out[0])));
  });
}

}  // namespace
}  // namespace mvd::kernels
