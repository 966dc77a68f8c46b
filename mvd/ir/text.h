// The graph as text, for people, tests and bug reports. It prints and parses: Parse(Print(g)) is g.
//
//   graph "unet"
//   sample = Input {shape=(1,14,32,64,8), phase=step} : (1,14,32,64,8)
//   conv_in.weight = Weight : (320,8,3,3)
//   conv_in = Conv2d(sample, conv_in.weight, _) {top=1, left=1, bottom=1, right=1} : (1,14,32,64,320)
//   output sample = conv_in
//
// Attributes at their defaults are left out. `_` stands for an absent input. A node of phase load or clip
// ends in ` @load` or ` @clip`.
#pragma once

#include <string>
#include <string_view>

#include "mvd/ir/graph.h"

namespace mvd {

std::string Print(const Graph& graph);
std::string PrintNode(const Graph& graph, ValueId id);  // one line without its end
std::string PrintAttrs(const Node& node);               // "{stride=2, act=silu}" or ""

// Only a Weight needs its shape; the others' may be left out. Throws Error(kBadInput) naming the line.
Graph Parse(std::string_view text);

}  // namespace mvd
