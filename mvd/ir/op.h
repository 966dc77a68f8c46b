// The ops, from ops.def: their enum, names, arity and empty attributes.
#pragma once

#include <array>
#include <optional>
#include <string_view>

#include "mvd/ir/attrs.h"

namespace mvd {

enum class Op {
#define MVD_OP(name, min_inputs, max_inputs, attrs) k##name,
#include "mvd/ir/ops.def"
#undef MVD_OP
};

struct OpInfo {
  Op op;
  std::string_view name;
  int min_inputs;
  int max_inputs;
  Attrs attrs;  // the defaults; also says which struct the op takes
};

// One row an op, in the order of the enum.
inline const auto kOps = std::to_array<OpInfo>({
#define MVD_OP(name, min_inputs, max_inputs, attrs) {Op::k##name, #name, min_inputs, max_inputs, attrs{}},
#include "mvd/ir/ops.def"
#undef MVD_OP
});

inline const OpInfo& Info(Op op) { return kOps[size_t(op)]; }
inline std::string_view Name(Op op) { return Info(op).name; }
inline std::optional<Op> ParseOp(std::string_view name) {
  for (const OpInfo& info : kOps) {
    if (info.name == name) return info.op;
  }
  return std::nullopt;
}

}  // namespace mvd
