// The ops, from ops.def: their enum, names, arity and empty attributes.
#pragma once

#include <optional>
#include <span>
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
  Attrs attrs;  // the defaults, of the struct that the op takes
};

// One row per op, in the order of the enum.
std::span<const OpInfo> AllOps();
const OpInfo& Info(Op op);
std::string_view Name(Op op);
std::optional<Op> ParseOp(std::string_view name);

}  // namespace mvd
