#include "mvd/compress/coupled_svd.h"

#include <Eigen/Dense>

#include "mvd/base/check.h"

namespace mvd {
namespace {

using Eigen::MatrixXd;
using Eigen::VectorXd;

// Smaller than a matrix of f32 weights can mean, larger than what double loses.
constexpr double kRankTolerance = 0x1p-22;

struct Svd {
  MatrixXd u, v;
  VectorXd s;
};

Svd ThinSvd(const MatrixXd& m) {
  Eigen::BDCSVD<MatrixXd> svd(m, Eigen::ComputeThinU | Eigen::ComputeThinV);
  if (svd.info() == Eigen::Success && svd.matrixU().allFinite() && svd.matrixV().allFinite())
    return {svd.matrixU(), svd.matrixV(), svd.singularValues()};
  // Divide and conquer can give up on badly scaled input; Jacobi rotations are slow and always converge.
  Eigen::JacobiSVD<MatrixXd> jacobi(m, Eigen::ComputeThinU | Eigen::ComputeThinV);
  MVD_CHECK(jacobi.singularValues().allFinite(), "SVD of ", m.rows(), " x ", m.cols());
  return {jacobi.matrixU(), jacobi.matrixV(), jacobi.singularValues()};
}

// R of m = Q R, min(rows, columns) x columns. Q is never needed: (Q R)^+ Q = R^+.
MatrixXd UpperFactor(const MatrixXd& m) {
  const Eigen::HouseholderQR<MatrixXd> qr(m);
  const Eigen::Index rows = std::min(m.rows(), m.cols());
  return qr.matrixQR().topRows(rows).triangularView<Eigen::Upper>();
}

MatrixXd PseudoInverseTimes(const MatrixXd& r, const MatrixXd& x) {
  Eigen::CompleteOrthogonalDecomposition<MatrixXd> decomposition;
  decomposition.setThreshold(kRankTolerance);
  decomposition.compute(r);
  return decomposition.solve(x);
}

}  // namespace

Coupled CoupledSvd(const MatrixXd& a, const MatrixXd& b, int64_t width) {
  const Eigen::Index inner = a.cols();
  MVD_CHECK_EQ(inner, b.cols());
  MVD_CHECK(width >= 1 && width <= inner, "width ", width, " of ", inner);
  const MatrixXd ra = UpperFactor(a), rb = UpperFactor(b);
  const Svd svd = ThinSvd(ra * rb.transpose());
  // Below `inner` rows on either side, a * b^T has fewer singular values than columns kept: the rest is zero.
  const Eigen::Index kept = std::min<Eigen::Index>(width, svd.s.size());
  const VectorXd root = svd.s.head(kept).cwiseSqrt();
  Coupled result;
  result.left = MatrixXd::Zero(inner, width);
  result.right = MatrixXd::Zero(inner, width);
  result.left.leftCols(kept) = PseudoInverseTimes(ra, svd.u.leftCols(kept) * root.asDiagonal());
  result.right.leftCols(kept) = PseudoInverseTimes(rb, svd.v.leftCols(kept) * root.asDiagonal());
  result.singular_values = VectorXd::Zero(inner);
  result.singular_values.head(svd.s.size()) = svd.s;
  return result;
}

Factors TruncatedSvd(const MatrixXd& w, int64_t rank) {
  MVD_CHECK(rank >= 1 && rank <= std::min(w.rows(), w.cols()), "rank ", rank, " of ", w.rows(), " x ",
            w.cols());
  const Svd svd = ThinSvd(w);
  const VectorXd root = svd.s.head(rank).cwiseSqrt();
  return {svd.u.leftCols(rank) * root.asDiagonal(), root.asDiagonal() * svd.v.leftCols(rank).transpose(),
          svd.s};
}

}  // namespace mvd
