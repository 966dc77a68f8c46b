// The reference executor: scalar and obvious, sums in double. It is the definition of every op, and is never
// optimised.
#pragma once

#include <memory>
#include <vector>

#include "mvd/exec/executor.h"

namespace mvd {

// Only f32; of the options it honours threads and cancel.
std::unique_ptr<Executor> MakeReferenceExecutor(const ExecOptions& options);

// Evaluates one node on f32 values. `in` has one entry per input, null if it is absent. Other executors
// evaluate constants with it.
Tensor EvaluateNode(const Node& node, const std::vector<const Tensor*>& in, const Threads& threads);

}  // namespace mvd
