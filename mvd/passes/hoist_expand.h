// The step that hoist_expand repeats for a whole graph, for passes that make an Expand themselves.
#pragma once

#include "mvd/passes/rewrite.h"

namespace mvd {

// Lets a node read what its inputs copy from, and copies its own result instead, where that is the same.
// Returns whether it did.
bool HoistExpandsAt(Rewriter& rewriter, ValueId id);

}  // namespace mvd
