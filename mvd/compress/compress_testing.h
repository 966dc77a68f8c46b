// Shared by the tests of this folder: seeded numbers, small matrices as plain loops, expectations about
// errors.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "mvd/base/error.h"
#include "mvd/base/rng.h"
#include "mvd/base/tensor.h"
#include "mvd/compress/funnels.h"

namespace mvd {

inline std::vector<double> Normals(uint64_t seed, uint64_t stream, size_t count) {
  std::vector<float> f(count);
  PhiloxNormal(seed, stream, 0, f);
  return {f.begin(), f.end()};
}

inline Tensor NormalTensor(const Shape& shape, uint64_t seed, double deviation = 1) {
  Tensor t(shape);
  PhiloxNormal(seed, 0, 0, t.f32());
  for (float& x : t.f32()) x *= float(deviation);
  return t;
}

// Row-major matrices in double: slow and obvious, and independent of the code under test.
struct Mat {
  int64_t rows = 0, columns = 0;
  std::vector<double> data;
  Mat(int64_t r, int64_t c) : rows(r), columns(c), data(size_t(r * c)) {}
  double& operator()(int64_t r, int64_t c) { return data[size_t(r * columns + c)]; }
  double operator()(int64_t r, int64_t c) const { return data[size_t(r * columns + c)]; }
};

inline Mat operator*(const Mat& a, const Mat& b) {
  MVD_CHECK_EQ(a.columns, b.rows);
  Mat product(a.rows, b.columns);
  for (int64_t i = 0; i < a.rows; ++i)
    for (int64_t k = 0; k < a.columns; ++k)
      for (int64_t j = 0; j < b.columns; ++j) product(i, j) += a(i, k) * b(k, j);
  return product;
}

inline Mat Transposed(const Mat& m) {
  Mat t(m.columns, m.rows);
  for (int64_t i = 0; i < m.rows; ++i)
    for (int64_t j = 0; j < m.columns; ++j) t(j, i) = m(i, j);
  return t;
}

// sum of squares of a - b
inline double SquaredDistance(const Mat& a, const Mat& b) {
  MVD_CHECK_EQ(a.data.size(), b.data.size());
  double sum = 0;
  for (size_t i = 0; i < a.data.size(); ++i) sum += (a.data[i] - b.data[i]) * (a.data[i] - b.data[i]);
  return sum;
}
inline double SquaredNorm(const Mat& a) { return SquaredDistance(a, Mat(a.rows, a.columns)); }

inline LayerWeight Layer(const Tensor& tensor, const std::string& name = "w") {
  return {"model.safetensors", name, tensor.view()};
}

// Rows of a matrix, columns of a matrix, one head of a funnel.
inline Mat Rows(const Tensor& t, int64_t begin, int64_t count) {
  Mat m(count, t.shape()[1]);
  for (int64_t r = 0; r < count; ++r)
    for (int64_t c = 0; c < m.columns; ++c) m(r, c) = t.f32()[size_t((begin + r) * m.columns + c)];
  return m;
}
inline Mat Columns(const Tensor& t, int64_t begin, int64_t count) {
  const Mat all = Rows(t, 0, t.shape()[0]);
  Mat m(all.rows, count);
  for (int64_t r = 0; r < m.rows; ++r)
    for (int64_t c = 0; c < count; ++c) m(r, c) = all(r, begin + c);
  return m;
}
inline Mat Head(const Tensor& funnel, int64_t h) {
  const int64_t rows = funnel.shape()[1], columns = funnel.shape()[2];
  Mat m(rows, columns);
  for (size_t i = 0; i < m.data.size(); ++i) m.data[i] = funnel.f32()[size_t(h) * m.data.size() + i];
  return m;
}

// Runs `body`, which must throw an Error with this exit code and each of `parts` in its one-line message.
inline void ExpectError(Exit exit, const std::vector<std::string>& parts, const std::function<void()>& body) {
  try {
    body();
    ADD_FAILURE() << "no error";
  } catch (const Error& e) {
    const std::string message = e.what();
    EXPECT_EQ(int(e.exit()), int(exit)) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    for (const std::string& part : parts) EXPECT_NE(message.find(part), std::string::npos) << message;
  }
}

}  // namespace mvd
