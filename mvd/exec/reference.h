// The reference executor: scalar and obvious, sums in double. It is the definition of every op; never
// optimised.
#pragma once

#include <memory>
#include <vector>

#include "mvd/exec/executor.h"

namespace mvd {

// Only f32; of the options it honours threads and cancel.
std::unique_ptr<Executor> MakeReferenceExecutor(const ExecOptions& options);

// One node on f32 values: `in` has an entry an input, null where it is absent. Also evaluates constants for
// others.
Tensor EvaluateNode(const Node& node, const std::vector<const Tensor*>& in, const Threads& threads);

}  // namespace mvd
