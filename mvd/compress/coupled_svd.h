// The linear algebra of channel funnels: the best low-rank approximation of a product of two tall matrices,
// found without forming the product. Internal to this folder, because it exposes Eigen.
#pragma once

#include <Eigen/Core>
#include <cstdint>

namespace mvd {

// a * left * right^T * b^T is the best approximation of a * b^T of rank `width` (Eckart-Young), and the
// singular values are split evenly between the two sides (coupled singular initialisation).
struct Coupled {
  Eigen::MatrixXd left, right;      // (inner, width) each
  Eigen::VectorXd singular_values;  // of a * b^T, falling, `inner` of them; those from `width` on are dropped
};

// a is (m, inner), b is (n, inner), all finite; 1 <= width <= inner. Rank-deficient sides are allowed: their
// pseudo-inverse is used, and directions below 2^-22 of the largest (the noise of f32 weights) count as
// absent. Thin QR of both sides, then one SVD of inner x inner: 2 (m + n) inner^2 + O(inner^3) operations.
Coupled CoupledSvd(const Eigen::MatrixXd& a, const Eigen::MatrixXd& b, int64_t width);

// w ~ up * down with up (rows, rank), down (rank, columns), singular values split evenly.
struct Factors {
  Eigen::MatrixXd up, down;
  Eigen::VectorXd singular_values;  // of w, falling, min(rows, columns) of them
};
Factors TruncatedSvd(const Eigen::MatrixXd& w, int64_t rank);

}  // namespace mvd
