// The executor that computes nothing: shapes, plan and calling order of a full-size model in milliseconds,
// without its weights.
#pragma once

#include <memory>

#include "mvd/exec/executor.h"

namespace mvd {

// Takes any graph and any dtype. Load verifies the graph and reads no weights. Run checks the number and
// sizes of inputs and outputs, and fills the outputs with zeros. The observer is never called. Plan gives
// what any executor needs at least: constants that later phases read, in the options' dtype, and the most
// bytes of activations alive at one step, with no gaps between them and no scratch memory.
std::unique_ptr<Executor> MakeNullExecutor(const ExecOptions& options);

}  // namespace mvd
