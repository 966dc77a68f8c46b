#include "mvd/ir/op.h"

namespace mvd {

// One table in one object file: built in the header, it cost every file that includes it seconds to compile.
std::span<const OpInfo> AllOps() {
  static const OpInfo kOps[] = {
#define MVD_OP(name, min_inputs, max_inputs, attrs) {Op::k##name, #name, min_inputs, max_inputs, attrs{}},
#include "mvd/ir/ops.def"
#undef MVD_OP
  };
  return kOps;
}

const OpInfo& Info(Op op) { return AllOps()[size_t(op)]; }

std::string_view Name(Op op) { return Info(op).name; }

std::optional<Op> ParseOp(std::string_view name) {
  for (const OpInfo& info : AllOps()) {
    if (info.name == name) return info.op;
  }
  return std::nullopt;
}

}  // namespace mvd
