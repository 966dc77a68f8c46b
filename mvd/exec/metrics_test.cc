#include "mvd/exec/metrics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "mvd/base/check.h"

namespace mvd {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

ErrorMetrics Of(std::vector<float> got, std::vector<float> want) { return Measure(got, want); }

TEST(MetricsTest, ByHand) {
  const ErrorMetrics m = Of({3, 5}, {3, 4});  // error (0,1), |want| = 5, dot = 29, |got| = sqrt(34)
  EXPECT_DOUBLE_EQ(m.rel_rms, 0.2);
  EXPECT_DOUBLE_EQ(m.max_abs, 1);
  EXPECT_DOUBLE_EQ(m.cosine, 29 / (5 * std::sqrt(34.0)));
  EXPECT_DOUBLE_EQ(Of({-3, -4}, {3, 4}).cosine, -1);
  EXPECT_DOUBLE_EQ(Of({-3, -4}, {3, 4}).rel_rms, 2);
}

TEST(MetricsTest, ZeroWant) {
  EXPECT_EQ(Of({0, 0}, {0, 0}).rel_rms, 0);
  EXPECT_EQ(Of({0, 0}, {0, 0}).cosine, 1);
  EXPECT_EQ(Of({0, 1}, {0, 0}).rel_rms, kInf);
  EXPECT_EQ(Of({0, 1}, {0, 0}).max_abs, 1);
  EXPECT_EQ(Of({0, 1}, {0, 0}).cosine, 0);
  EXPECT_EQ(Of({0, 0}, {0, 1}).rel_rms, 1);
  EXPECT_EQ(Of({}, {}).rel_rms, 0);
}

TEST(MetricsTest, NonFinite) {
  for (const auto& m : {Of({1, kNaN}, {1, 2}), Of({1, 2}, {1, kNaN}), Of({1, kInf}, {1, -kInf}),
                        Of({1, kInf}, {1, kNaN}), Of({1, kNaN}, {1, kNaN}), Of({1, kInf}, {1, kInf})}) {
    EXPECT_EQ(m.rel_rms, kInf);
    EXPECT_EQ(m.max_abs, kInf);
    EXPECT_EQ(m.cosine, 0);
  }
  const std::vector<float> values{1, kNaN, -kInf, 0};
  EXPECT_EQ(CountNonFinite(values), 2);
}

TEST(MetricsTest, SumsInDouble) {
  // In f32 the sum of squares would stop at 2^24 ones.
  const std::vector<float> want(20'000'000, 1.0f);
  std::vector<float> got = want;
  got.back() = 2;
  EXPECT_NEAR(Measure(got, want).rel_rms, 1 / std::sqrt(2e7), 1e-12);
  EXPECT_THROW(Of({1}, {1, 2}), InternalError);
}

}  // namespace
}  // namespace mvd
