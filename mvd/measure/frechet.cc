#include "mvd/measure/frechet.h"

#include <Eigen/Dense>
#include <cmath>

#include "mvd/base/error.h"

namespace mvd {
namespace {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

Eigen::Map<const Matrix> View(const FeatureMatrix& m) { return {m.values.data(), m.rows, m.columns}; }

void Check(const FeatureMatrix& real, const FeatureMatrix& fake, const std::string& file) {
  for (const auto& [name, m] : {std::pair("real", &real), std::pair("fake", &fake)}) {
    if (m->rows < 1 || m->columns < 1)
      ThrowBadInput(file, name, " features of ", m->rows, " clips and ", m->columns,
                    " columns, expected one or more");
    MVD_CHECK_EQ(int64_t(m->values.size()), m->rows * m->columns);
    for (double value : m->values) {
      if (!std::isfinite(value))
        ThrowBadInput(file, name, " features hold ", value, ", expected finite numbers");
    }
  }
  if (real.columns != fake.columns)
    ThrowBadInput(file, "fake features have ", fake.columns, " columns, expected the real ones' ",
                  real.columns);
}

struct Gaussian {
  Eigen::VectorXd mean;
  Eigen::MatrixXd covariance;
};

Gaussian Fit(const FeatureMatrix& m) {
  Gaussian g;
  g.mean = View(m).colwise().mean();
  const Eigen::MatrixXd centred = View(m).rowwise() - g.mean.transpose();
  g.covariance = centred.transpose() * centred / double(m.rows);
  return g;
}

// Of a symmetric matrix without negative eigenvalues but for rounding.
Eigen::MatrixXd Root(const Eigen::MatrixXd& s) {
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(s);
  const Eigen::VectorXd roots = solver.eigenvalues().cwiseMax(0).cwiseSqrt();
  return solver.eigenvectors() * roots.asDiagonal() * solver.eigenvectors().transpose();
}

double MeanKernel(const FeatureMatrix& a, const FeatureMatrix& b) {
  const Eigen::MatrixXd products = View(a) * View(b).transpose() / double(a.columns);
  return products.array().square().mean();
}

}  // namespace

double FrechetDistance(const FeatureMatrix& real, const FeatureMatrix& fake, const std::string& file) {
  Check(real, fake, file);
  const Gaussian a = Fit(real), b = Fit(fake);
  // (S1 S2)^1/2 has the trace of (S1^1/2 S2 S1^1/2)^1/2, whose argument is symmetric.
  const Eigen::MatrixXd root = Root(a.covariance);
  const Eigen::MatrixXd inner = root * b.covariance * root;
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver((inner + inner.transpose()) / 2,
                                                              Eigen::EigenvaluesOnly);
  const double cross = solver.eigenvalues().cwiseMax(0).cwiseSqrt().sum();
  return (a.mean - b.mean).squaredNorm() + a.covariance.trace() + b.covariance.trace() - 2 * cross;
}

double KernelDistance(const FeatureMatrix& real, const FeatureMatrix& fake, const std::string& file) {
  Check(real, fake, file);
  return 100 * (MeanKernel(real, real) + MeanKernel(fake, fake) - 2 * MeanKernel(real, fake));
}

}  // namespace mvd
