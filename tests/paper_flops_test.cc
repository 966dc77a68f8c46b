// FLOPs of the rows of Mobile Video Diffusion's tables (arXiv 2412.07583) against the paper's, at full size.
// Tolerances: 2 % without temporal multiscaling (the paper's 45.43 and 8.60 for SVD are 1.4 and 1.7 % above
// any count of its architecture, by a share linear in tokens of unknown origin), 0.5 % with it, where that
// share is absent; 4 % where the place of spatial multiscaling is open; 2 % where it is open which blocks
// survive; 5 % for the final models, whose factor of each funnel is open. A figure printed as 7.2 is 7.15
// to 7.25.
#include <gtest/gtest.h>

#include "mvd/cost/cost.h"
#include "mvd/models/presets.h"

namespace mvd {
namespace {

struct Row {
  const char* preset;
  double tflops, tolerance, printed_to = 0.01;
  double below = tolerance;  // where less is tolerated than more
};

constexpr Row kRows[] = {
    {"svd", 45.43, 0.02},
    {"svd-512", 8.60, 0.02},
    {"svd-512-folded", 8.24, 0.02},
    {"mobilevd-temporal", 5.42, 0.005},
    {"mobilevd-spatial", 4.35, 0.04},
    {"mobilevd-spatiotemporal", 3.39, 0.005},
    {"svd-512-funnels", 8.0, 0.02, 0.1},
    {"svd-512-conv-funnels", 7.2, 0.02, 0.1},
    {"svd-512-low-rank-50", 8.6, 0.02, 0.1},
    {"svd-512-low-rank-25", 8.0, 0.02, 0.1},
    {"mobilevd-pruned-90", 4.06, 0.02},
    {"mobilevd-pruned-80", 4.35, 0.02},
    {"mobilevd-pruned", 4.64, 0.02},
    {"mobilevd-pruned-l1-70", 4.67, 0.02},
    {"mobilevd-pruned-l1-53", 5.17, 0.02},
    {"mobilevd", 4.34, 0.05},
    // 6.4 % below: all funnels at 0.5 are cheaper than what the authors ran, whose factors are not known.
    {"mobilevd-hd", 23.63, 0.05, 0.01, 0.07},
};

class PaperFlops : public testing::TestWithParam<Row> {};

TEST_P(PaperFlops, AreThePapers) {
  const Preset preset = FindPreset(GetParam().preset);
  const ClipDefaults& d = preset.defaults;
  const Graph graph = BuildSvdUnet(preset.models.unet, 1, d.frames, d.height / 8, d.width / 8);
  const double tflops = double(CountCost(graph).total.flops) / 1e12;
  const Row& row = GetParam();
  EXPECT_LE(tflops, (row.tflops + row.printed_to / 2) * (1 + row.tolerance));
  EXPECT_GE(tflops, (row.tflops - row.printed_to / 2) * (1 - row.below));
  std::printf("%-26s %7.3f TFLOP, paper %6.2f, %+.2f %%\n", GetParam().preset, tflops, GetParam().tflops,
              100 * (tflops / GetParam().tflops - 1));
}

INSTANTIATE_TEST_SUITE_P(Rows, PaperFlops, testing::ValuesIn(kRows));

}  // namespace
}  // namespace mvd
