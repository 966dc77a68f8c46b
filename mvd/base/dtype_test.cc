#include "mvd/base/dtype.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "mvd/base/tensor.h"

namespace mvd {
namespace {

TEST(HalfTest, EveryHalfSurvivesTheRoundTrip) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const float value = HalfToFloat(uint16_t(bits));
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(HalfToFloat(FloatToHalf(value))));
    } else {
      EXPECT_EQ(FloatToHalf(value), bits) << value;
    }
  }
}

TEST(HalfTest, RoundsToNearestEven) {
  EXPECT_EQ(FloatToHalf(1.0f + 0x1p-11f), FloatToHalf(1.0f));  // a tie goes to the even mantissa
  EXPECT_EQ(FloatToHalf(1.0f + 3 * 0x1p-11f), FloatToHalf(1.0f + 0x1p-9f));
  EXPECT_EQ(FloatToHalf(65519.9f), 0x7bff);
  EXPECT_EQ(FloatToHalf(65520.0f), 0x7c00);
  EXPECT_EQ(FloatToHalf(0x1p-25f), 0);  // half of the smallest subnormal, tie to even
  EXPECT_EQ(FloatToHalf(0x1.8p-25f), 1);
}

TEST(BF16Test, RoundsToNearestEvenAndKeepsSpecialValues) {
  EXPECT_EQ(float(BF16(1.0f)), 1.0f);
  EXPECT_EQ(float(BF16(1.0f + 0x1p-8f)), 1.0f);
  EXPECT_EQ(float(BF16(1.0f + 3 * 0x1p-8f)), 1.0f + 0x1p-6f);
  EXPECT_TRUE(std::isnan(float(BF16(std::numeric_limits<float>::quiet_NaN()))));
  EXPECT_TRUE(std::isinf(float(BF16(std::numeric_limits<float>::infinity()))));
  EXPECT_TRUE(std::isinf(float(BF16(std::numeric_limits<float>::max()))));
}

TEST(DTypeTest, NamesParseBack) {
  for (DType dtype :
       {DType::kF32, DType::kBF16, DType::kF16, DType::kF64, DType::kI64, DType::kI32, DType::kU8}) {
    EXPECT_EQ(ParseDType(Name(dtype)), dtype);
  }
  EXPECT_FALSE(ParseDType("float"));
}

TEST(TensorTest, ChannelsLastAndBack) {
  Tensor x({2, 3, 2, 5});
  for (int64_t i = 0; i < x.elements(); ++i) x.f32()[size_t(i)] = float(i);
  const Tensor last = ToChannelsLast(x);
  EXPECT_EQ(last.shape(), Shape({2, 2, 5, 3}));
  EXPECT_EQ(last.f32()[1], 10.0f);  // channel 1 of the first pixel
  const Tensor back = ToChannelsFirst(last);
  EXPECT_TRUE(std::equal(x.f32().begin(), x.f32().end(), back.f32().begin()));
}

}  // namespace
}  // namespace mvd
