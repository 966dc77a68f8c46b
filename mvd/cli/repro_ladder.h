// The paper's figure 1 for the demo's models: quality against what a clip costs.
#pragma once

#include "mvd/cli/chart.h"
#include "mvd/cli/demo_evaluations.h"

namespace mvd::cli {

// A disc for each run that has both figures, by its name; the rungs of the ladder joined in their order.
// Error(kBadInput) where there are fewer than two.
Chart LadderChart(const DemoEvaluations& demo);

}  // namespace mvd::cli
