// From the importance of each prunable block to the probability that it stays in the network, under a fixed
// budget of blocks: the constrained problem of MobileVD (arXiv 2412.07583, supplement A2.3), and its
// gradient.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace mvd {

// The minimiser over (c, p) of sum (p_i - c q_i)^2 under sum p = n and 0 <= p <= 1 (equation A4); it is
// unique.
struct Inclusion {
  std::vector<double> probabilities;  // in the caller's order
  std::vector<int64_t> order;         // indices by falling importance, the lower index first among equals
  int64_t saturated = 0;              // t-1: how many, from the start of `order`, have probability exactly 1
  double c = 0;                       // p_i = c q_i - half_beta for the others
  double half_beta = 0;               // 0 if none is saturated: then p is proportional to q
};

// `importance`: all finite and above 0, in any order; `budget`: 1 to their number. Anything else is an
// Error(kBadInput) that names `file`, which is empty if no file is the cause. O(N log N).
Inclusion SolveInclusion(std::span<const double> importance, int64_t budget, const std::string& file = "");

// dL/dq from dL/dp, both in the caller's order, for `inclusion` = SolveInclusion(importance, budget).
// Probabilities that are not saturated are differentiated as the closed form c q_i - beta/2 of A35. The
// saturated ones are 1, and their gradient is that of the same closed form, straight through. (This is our
// reading of the supplement's last paragraph, which leaves it open.) So a block with probability 1 can still
// lose importance.
std::vector<double> InclusionGradient(std::span<const double> importance, int64_t budget,
                                      const Inclusion& inclusion, std::span<const double> gradient);

// The gates of inference: 1 for the `budget` most important blocks, 0 for the others. Errors as above.
std::vector<uint8_t> KeepMostImportant(std::span<const double> importance, int64_t budget,
                                       const std::string& file = "");

}  // namespace mvd
