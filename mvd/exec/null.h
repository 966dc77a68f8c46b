// The executor that computes nothing: shapes, plan and calling order of a full-size model in milliseconds,
// without its weights.
#pragma once

#include <memory>

#include "mvd/exec/executor.h"

namespace mvd {

// Takes any graph and any dtype. Load verifies the graph and reads no weights; Run checks the inputs' and
// outputs' number and sizes and fills the outputs with zeros; the observer hears nothing.
// Plan states what an executor needs at least: constants that later phases read, at the options' dtype, and
// the most bytes of activations alive at one step, with no gaps between them and no scratch.
std::unique_ptr<Executor> MakeNullExecutor(const ExecOptions& options);

}  // namespace mvd
