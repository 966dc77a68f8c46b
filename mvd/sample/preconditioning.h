// What stands between a network F and a denoiser D: D(x; sigma) = c_skip x + c_out F(c_in x; c_noise).
// EDM (Karras et al., arXiv 2206.00364) Eq. 7; SVD's choice is its v-prediction column (SVD, arXiv
// 2311.15127, appendix D).
#pragma once

#include <cmath>
#include <string_view>

namespace mvd {

struct Preconditioning {
  double c_skip = 0;
  double c_out = 0;
  double c_in = 0;
  double c_noise = 0;
};

// sigma > 0. c_skip = 1/(sigma^2+1), c_out = -sigma/sqrt(sigma^2+1), c_in = 1/sqrt(sigma^2+1), and EDM's
// c_noise = ln(sigma)/4.
inline Preconditioning VPrediction(double sigma) {
  const double total = sigma * sigma + 1;
  const double root = std::sqrt(total);
  return {.c_skip = 1 / total, .c_out = -sigma / root, .c_in = 1 / root, .c_noise = 0.25 * std::log(sigma)};
}

// The weight of the squared error of D in SVD's training loss, 1/c_out^2 (EDM Eq. 8): lambda = (1+s^2)/s^2.
inline double LossWeight(double sigma) { return (1 + sigma * sigma) / (sigma * sigma); }

// As a scheduler's `prediction_type` names it: "v_prediction"; "epsilon" (D = x - sigma F); "sample" (D = F).
// The input scaling is the same for all three. Another name is a bug: MakeSchedule has refused it.
Preconditioning Precondition(std::string_view prediction_type, double sigma);

}  // namespace mvd
