// Drops what reaches no output. Inputs stay: they are what the caller gives.
#include "mvd/passes/passes.h"
#include "mvd/passes/rewrite.h"

namespace mvd {

bool DropDeadCode(Graph& graph) { return Tidy(graph); }

}  // namespace mvd
