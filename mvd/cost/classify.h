// Which part of a network a node is, read from its name. The one place that knows the names.
#pragma once

#include <string>
#include <string_view>

#include "mvd/ir/graph.h"

namespace mvd {

struct NodeClass {
  std::string component;  // "down_blocks.0", "decoder.mid_block", "conv_in"
  std::string level;      // "level 0" is the finest; "-": belongs to no level
  std::string kind;       // "spatial resnet", "temporal feed-forward", ...
};

class Classifier {
 public:
  explicit Classifier(const Graph& graph);  // counts the blocks
  NodeClass Classify(std::string_view name) const;

 private:
  int up_blocks_ = 0, down_blocks_ = 0;
};

}  // namespace mvd
