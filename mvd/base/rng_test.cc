// The generators against published vectors, PyTorch's own draws, and the moments of a standard normal.
#include "mvd/base/rng.h"

#include <gtest/gtest.h>

#include <cmath>
#include <thread>
#include <vector>

namespace mvd {
namespace {

using Words = std::array<uint32_t, 4>;

std::vector<float> Draw(TorchCpuGenerator& generator, size_t n) {
  std::vector<float> values(n);
  generator.Normal(values);
  return values;
}

// PyTorch's vectorised log, sine and cosine are off by a few units in the last place; radii reach 5.8.
void ExpectTorch(const std::vector<float>& got, const std::vector<float>& want) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], want[i], 1e-6 * (1 + std::abs(want[i]))) << i;
}

// The known answers for philox4x32 with 10 rounds that come with Random123 (kat_vectors).
TEST(Philox, KnownAnswers) {
  constexpr uint32_t kOnes = 0xffffffff;
  EXPECT_EQ(Philox4x32({0, 0, 0, 0}, {0, 0}), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(Philox4x32({kOnes, kOnes, kOnes, kOnes}, {kOnes, kOnes}),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(Philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Philox, AnySplitGivesTheSameValues) {
  std::vector<float> whole(101), parts(101);
  PhiloxNormal(7, 3, 1000, whole);
  for (size_t from = 0, n = 0; from < parts.size(); from += n, n = n % 4 + 1) {
    n = std::min(n, parts.size() - from);
    PhiloxNormal(7, 3, 1000 + from, std::span(parts).subspan(from, n));
  }
  EXPECT_EQ(whole, parts);

  Rng once(RngKind::kPhilox, 7), twice(RngKind::kPhilox, 7);
  once.Normal(whole);
  twice.Normal(std::span(parts).first(33));
  twice.Normal(std::span(parts).subspan(33));
  EXPECT_EQ(whole, parts);
}

TEST(Philox, ThreadsDoNotMatter) {
  std::vector<float> whole(4096), parts(4096);
  PhiloxNormal(1, 0, 0, whole);
  {
    std::vector<std::jthread> threads;
    for (size_t i = 0; i < 4; ++i) {
      threads.emplace_back(
          [&, i] { PhiloxNormal(1, 0, i * 1024, std::span(parts).subspan(i * 1024, 1024)); });
    }
  }
  EXPECT_EQ(whole, parts);
}

TEST(Philox, SeedStreamAndOffsetUseAllTheirBits) {
  std::vector<float> base(4), other(4);
  PhiloxNormal(1, 1, 0, base);
  for (int bit : {1, 31, 32, 63}) {
    const uint64_t flip = uint64_t{1} << bit;
    PhiloxNormal(1 ^ flip, 1, 0, other);
    EXPECT_NE(base, other) << "seed bit " << bit;
    PhiloxNormal(1, 1 ^ flip, 0, other);
    EXPECT_NE(base, other) << "stream bit " << bit;
    PhiloxNormal(1, 1, flip, other);
    EXPECT_NE(base, other) << "offset bit " << bit;
  }
}

// Moments of n draws stray by about sqrt(variance / n); five of these are asked for.
TEST(Rng, MomentsOfAStandardNormal) {
  for (RngKind kind : {RngKind::kPhilox, RngKind::kTorchCpu}) {
    const int n = 200'000;
    std::vector<float> x(n);
    Rng(kind, 12345).Normal(x);
    double moment[5] = {}, neighbours = 0;
    for (int i = 0; i < n; ++i) {
      for (int k = 1; k <= 4; ++k) moment[k] += std::pow(double(x[i]), k) / n;
      if (i > 0) neighbours += double(x[i]) * x[i - 1] / n;
    }
    const double unit = 5 / std::sqrt(double(n));
    EXPECT_NEAR(moment[1], 0, unit) << Name(kind);
    EXPECT_NEAR(moment[2], 1, unit * std::sqrt(2.)) << Name(kind);
    EXPECT_NEAR(moment[3], 0, unit * std::sqrt(15.)) << Name(kind);
    EXPECT_NEAR(moment[4], 3, unit * std::sqrt(96.)) << Name(kind);
    EXPECT_NEAR(neighbours, 0, unit) << Name(kind);
  }
}

// torch.Generator().manual_seed(42), then torch.randn of 3, 2, 16, 1, 37 and 1 elements (PyTorch 2.13): the
// scalar path's spare survives calls and blocks, and a tail of 5 is redrawn as 16.
TEST(Torch, SequenceOfCallsOfAllKinds) {
  TorchCpuGenerator generator(42);
  ExpectTorch(Draw(generator, 3), {0.336690366f, 0.128809407f, 0.234462366f});
  ExpectTorch(Draw(generator, 2), {0.23033303f, -1.12285638f});
  ExpectTorch(Draw(generator, 16),
              {-0.248257503f, -1.20821476f, -0.477667451f, 0.520131171f, 1.64231694f, -0.159597471f,
               -0.497397542f, 0.439589262f, 2.00241542f, 0.466431886f, 1.57302725f, -0.922828853f,
               1.27912438f, 1.29642284f, 0.61046648f, 1.33473778f});
  ExpectTorch(Draw(generator, 1), {-0.186328292f});
  ExpectTorch(Draw(generator, 37),
              {-1.11090386f,  0.0915456563f, -2.31692266f,  -0.216804728f,  -1.38467371f,  -0.871236145f,
               -0.223365918f, 1.71736145f,   -0.592000544f, -0.0630743802f, -0.828554273f, 0.330898434f,
               -1.55757248f,  0.995636106f,  -0.879785836f, -0.601142049f,  1.3123076f,    0.687159598f,
               -1.08917534f,  -0.355286628f, -0.913823009f, 0.85641253f,    2.21807575f,   0.523165524f,
               0.346646667f,  -0.197331443f, -1.05458891f,  1.27799559f,    0.145337671f,  0.523788452f,
               0.0566218197f, 0.426296145f,  0.575005054f,  -0.64172411f,   -2.20639849f,  -0.750803053f,
               2.81402707f});
  ExpectTorch(Draw(generator, 1), {-0.1425035f});
}

TEST(Torch, OnlyTheLow32BitsOfASeedCount) {
  TorchCpuGenerator generator((uint64_t{1} << 32) + 7);
  ExpectTorch(Draw(generator, 4), {-0.146795094f, 0.786141276f, 0.94682163f, -1.114344f});
}

// torch.randn(1, 14, 4, 8, 8) after manual_seed(23): three elements, the sum and the sum of squares.
TEST(Torch, LatentNoiseOfAClip) {
  std::vector<float> x(14 * 4 * 8 * 8);
  Rng(RngKind::kTorchCpu, 23).Normal(x);
  ExpectTorch({x[0], x[1000], x[3583]}, {-0.901205897f, 0.2899912f, 0.426864296f});
  double sum = 0, squares = 0;
  for (float value : x) sum += value, squares += double(value) * value;
  EXPECT_NEAR(sum, 37.49110851751175, 3584 * 1e-7);
  EXPECT_NEAR(squares, 3557.47446402395, 3584 * 2e-7);
}

TEST(Rng, Names) {
  EXPECT_EQ(ParseRngKind("philox"), RngKind::kPhilox);
  EXPECT_EQ(ParseRngKind("torch"), RngKind::kTorchCpu);
  EXPECT_EQ(ParseRngKind("mersenne"), std::nullopt);
}

}  // namespace
}  // namespace mvd
