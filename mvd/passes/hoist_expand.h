// The step that the pass hoist_expand repeats for a whole graph. Passes that create an Expand use it too.
#pragma once

#include "mvd/passes/rewrite.h"

namespace mvd {

// Expand(a) op Expand(b) = Expand(a op b): if a node's inputs are copies, lets it compute on what they copy
// and expands its result instead, where that gives the same. Returns whether it changed the graph.
bool HoistExpandsAt(Rewriter& rewriter, ValueId id);

}  // namespace mvd
