// Times our kernels alone, on one thread, at the sizes SVD has at 512x256 pixels (latents 64x32, 14 frames),
// for every level this processor runs. usage: bench_kernels [part of a level's name] [part of a kernel's
// name]
#include <algorithm>
#include <cstdio>
#include <ctime>
#include <functional>
#include <memory>
#include <new>
#include <random>
#include <string>
#include <vector>

#include "mvd/cpu/kernels/levels.h"

namespace mvd::kernels {
namespace {

constexpr int64_t kFrames = 14, kPixels = 64 * 32, kChannels = 320, kHeadWidth = 64;

template <class E>
constexpr const char* kTypeName = "f32";
template <>
constexpr const char* kTypeName<BF16Bits> = "bf16";

// This thread's own time: what else the machine does costs us caches, but not turns.
double Seconds() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return double(t.tv_sec) + 1e-9 * double(t.tv_nsec);
}

struct Bench {
  const Level& level;
  std::string filter;

  // Best of some runs that together take a fifth of a second. `amount` is bytes or flops of one run.
  void Time(const char* kernel, const char* type, const char* shape, double amount, const char* unit,
            const std::function<void()>& run) const {
    if (std::string(kernel).find(filter) == std::string::npos) return;
    run();
    double best = 1e30, total = 0;
    for (int i = 0; i < 3 || total < 0.2; ++i) {
      const double start = Seconds();
      run();
      const double seconds = Seconds() - start;
      best = std::min(best, seconds);
      total += seconds;
    }
    std::printf("%-12s %-14s %-5s %-34s %8.1f %s\n", std::string(level.name).c_str(), kernel, type, shape,
                amount / best * 1e-9, unit);
    std::fflush(stdout);
  }
};

template <class E>
std::vector<E> Random(int64_t n, const KernelTable& table) {
  std::mt19937 engine(1);
  std::normal_distribution<float> normal;
  std::vector<float> values(static_cast<size_t>(n));
  for (float& v : values) v = normal(engine);
  std::vector<E> result(values.size());
  if constexpr (sizeof(E) == 4) {
    result = values;
  } else {
    table.to_bf16(values.data(), n, result.data());
  }
  return result;
}

struct AlignedDelete {
  void operator()(char* p) const { ::operator delete(p, std::align_val_t(64)); }
};

// One head of one frame, or `groups` groups of few tokens.
template <class E>
void BenchAttention(const Bench& bench, const char* shape, int64_t tokens, int64_t width) {
  const KernelTable& table = bench.level.table();
  const auto& k = Typed<E>(table);
  const auto q = Random<E>(tokens * width, table);
  std::vector<E> out(q.size());
  const std::unique_ptr<char, AlignedDelete> scratch(static_cast<char*>(
      ::operator new(size_t(k.attention_scratch(tokens, tokens, width, width)), std::align_val_t(64))));
  const AttentionJob<E> job{q.data(), q.data(), q.data(), out.data(), tokens, tokens, width,
                            width,    width,    width,    width,      width,  0.125f, scratch.get()};
  bench.Time("attention", kTypeName<E>, shape, 4.0 * double(tokens * tokens * width), "GFLOP/s",
             [&] { k.attention(job); });
}

// All heads of `pixels` pixels, tokens `stride` elements apart as in (T, H, W, C).
template <class E>
void BenchFew(const Bench& bench, const char* shape, int64_t pixels, int64_t channels) {
  const KernelTable& table = bench.level.table();
  const auto& k = Typed<E>(table);
  const int64_t stride = pixels * channels;
  const auto q = Random<E>(kFrames * stride, table), key = q, v = q;
  std::vector<E> out(q.size());
  const int64_t repeats = pixels == 1 ? 1000 : 1;  // one alone is shorter than the clock's step
  const double flops = 4.0 * kFrames * kFrames * double(stride * repeats);
  bench.Time("attention_few", kTypeName<E>, shape, flops, "GFLOP/s", [&] {
    for (int64_t i = 0; i < stride * repeats; i += kHeadWidth) {
      const int64_t at = i % stride;
      k.attention_few({q.data() + at, key.data() + at, v.data() + at, out.data() + at, kFrames, kFrames,
                       kHeadWidth, kHeadWidth, stride, stride, stride, stride, 0.125f, nullptr});
    }
  });
}

template <class E>
void BenchNorms(const Bench& bench) {
  const KernelTable& table = bench.level.table();
  const auto& k = Typed<E>(table);
  const int64_t rows = kFrames * kPixels, n = rows * kChannels, piece = 204;
  const auto x = Random<E>(n, table);
  std::vector<E> y(x.size());
  const std::vector<float> one(kChannels, 1), zero(kChannels, 0);
  std::vector<GroupStats> stats(32);
  const double bytes = double(n) * sizeof(E);
  const char *type = kTypeName<E>, *shape = "28672x320";
  bench.Time("group_stats", type, "28672x320, pieces of 204 rows", bytes, "GB/s read once", [&] {
    for (int64_t row = 0; row < rows; row += piece) {
      k.group_stats(x.data() + row * kChannels, std::min(piece, rows - row), kChannels, 32, stats.data());
    }
  });
  bench.Time("group_stats", type, "204x320, in cache", bytes * piece / rows, "GB/s read once",
             [&] { k.group_stats(x.data(), piece, kChannels, 32, stats.data()); });
  bench.Time("scale_shift", type, "28672x320 silu", 2 * bytes, "GB/s", [&] {
    k.scale_shift(x.data(), rows, kChannels, one.data(), zero.data(), Activation::kSilu, y.data());
  });
  bench.Time("scale_shift", type, "204x320 silu, in cache", 2.0 * double(piece * kChannels) * sizeof(E),
             "GB/s", [&] {
               k.scale_shift(x.data(), piece, kChannels, one.data(), zero.data(), Activation::kSilu,
                             y.data());
             });
  bench.Time("layer_norm", type, shape, 2 * bytes, "GB/s",
             [&] { k.layer_norm(x.data(), rows, kChannels, one.data(), zero.data(), 1e-5, y.data()); });
}

template <class E>
void BenchPointwise(const Bench& bench) {
  const KernelTable& table = bench.level.table();
  const auto& k = Typed<E>(table);
  const int64_t rows = kFrames * kPixels, n = rows * kChannels, gates = 1280, few = kPixels;
  const auto x = Random<E>(n, table), z = x, wide = Random<E>(few * 2 * gates, table);
  std::vector<E> y(x.size());
  const std::vector<float> row(kChannels, 1);
  const double bytes = double(n) * sizeof(E);
  const char *type = kTypeName<E>, *shape = "28672x320";
  bench.Time("geglu", type, "2048x1280", 3.0 * double(few * gates) * sizeof(E), "GB/s",
             [&] { k.geglu(wide.data(), few, gates, y.data()); });
  bench.Time("activate", type, "28672x320 silu", 2 * bytes, "GB/s",
             [&] { k.activate(x.data(), n, Activation::kSilu, y.data()); });
  bench.Time("activate", type, "28672x320 gelu", 2 * bytes, "GB/s",
             [&] { k.activate(x.data(), n, Activation::kGelu, y.data()); });
  bench.Time("activate", type, "28672x320 tanh", 2 * bytes, "GB/s",
             [&] { k.activate(x.data(), n, Activation::kTanh, y.data()); });
  bench.Time("multiply", type, shape, 3 * bytes, "GB/s",
             [&] { k.multiply(x.data(), z.data(), n, y.data()); });
  bench.Time("affine", type, shape, 2 * bytes, "GB/s", [&] { k.affine(x.data(), n, 2, 1, y.data()); });
  bench.Time("add", type, shape, 3 * bytes, "GB/s", [&] { k.add(x.data(), z.data(), n, y.data()); });
  bench.Time("add_row", type, shape, 2 * bytes, "GB/s",
             [&] { k.add_row(x.data(), row.data(), rows, kChannels, y.data()); });
  bench.Time("blend", type, shape, 3 * bytes, "GB/s",
             [&] { k.blend(x.data(), z.data(), 0.3f, n, y.data()); });
}

template <class E>
void BenchAll(const Bench& bench) {
  BenchAttention<E>(bench, "2048 tokens, width 64", 2048, 64);
  BenchAttention<E>(bench, "512 tokens, width 64", 512, 64);
  BenchAttention<E>(bench, "128 tokens, width 64", 128, 64);
  BenchAttention<E>(bench, "257 tokens, width 80", 257, 80);
  BenchAttention<E>(bench, "2048 tokens, width 512", 2048, 512);
  BenchFew<E>(bench, "14 tokens, 1 pixel of 64", 1, 64);
  BenchFew<E>(bench, "14 tokens, 2048 pixels of 320", 2048, 320);
  BenchFew<E>(bench, "14 tokens, 512 pixels of 640", 512, 640);
  BenchNorms<E>(bench);
  BenchPointwise<E>(bench);
}

void BenchConvert(const Bench& bench) {
  const KernelTable& table = bench.level.table();
  const int64_t n = kFrames * kPixels * kChannels;
  std::vector<float> x = Random<float>(n, table);
  std::vector<BF16Bits> y(x.size());
  bench.Time("to_bf16", "-", "9.2M", 6.0 * double(n), "GB/s", [&] { table.to_bf16(x.data(), n, y.data()); });
  bench.Time("to_f32", "-", "9.2M", 6.0 * double(n), "GB/s", [&] { table.to_f32(y.data(), n, x.data()); });
}

}  // namespace
}  // namespace mvd::kernels

int main(int argc, char** argv) {
  using namespace mvd::kernels;
  for (const Level& level : Levels()) {
    if (!level.supported() || (argc > 1 && level.name.find(argv[1]) == level.name.npos)) continue;
    const Bench bench{level, argc > 2 ? argv[2] : ""};
    BenchAll<BF16Bits>(bench);
    BenchAll<float>(bench);
    BenchConvert(bench);
  }
}
