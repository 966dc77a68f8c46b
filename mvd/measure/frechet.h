// Distances between two sets of feature vectors.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace mvd {

// One row a clip.
struct FeatureMatrix {
  int64_t rows = 0, columns = 0;
  std::vector<double> values;  // row by row
};

// Frechet distance of the two sets as Gaussians with population covariances (divided by n): |m1 - m2|^2 +
// tr(S1 + S2 - 2 (S1 S2)^1/2) (arXiv 1706.08500, section "FID"; of videos arXiv 1812.01717). Error(kBadInput)
// where a set is empty, has other columns than the other, or values that are not finite; it
// names `file`, where they came from.
double FrechetDistance(const FeatureMatrix& real, const FeatureMatrix& fake, const std::string& file = "");

// JEDi's score (arXiv 2410.05203): 100 x MMD^2, biased (diagonals included), with the kernel (<x,y>/d)^2.
// Errors as above.
double KernelDistance(const FeatureMatrix& real, const FeatureMatrix& fake, const std::string& file = "");

}  // namespace mvd
