// The tools for writing passes: edits in any order, then one Finish that makes the graph legal again.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "mvd/ir/graph.h"

namespace mvd {

// Orders the nodes so that each follows its inputs, and otherwise keeps their order. Drops nodes that reach
// no output, except inputs. Raises phases to those of the inputs. Returns whether nodes were dropped.
bool Tidy(Graph& graph);

// Holds a graph while it is edited. Ids stay valid until Finish. New nodes are appended, so until then a node
// may come before its inputs.
class Rewriter {
 public:
  explicit Rewriter(Graph& graph);

  // The number of nodes when the edit began. Appended nodes have higher ids.
  ValueId size() const { return original_; }
  const Node& node(ValueId id) const { return graph_.node(id); }
  Node& node(ValueId id) { return graph_.node(id); }
  Dims dims(ValueId id) const { return DimsOf(graph_.shape(id)); }
  bool Is(ValueId id, Op op) const { return id != kNoValue && !erased_[size_t(id)] && node(id).op == op; }
  // Whether exactly one node that was not erased uses it.
  bool UsedOnce(ValueId id) const { return uses_[size_t(id)] == 1; }

  // A new node with its shape inferred. The name is made unique by "#2", "#3", ...
  ValueId Append(Op op, const std::string& name, std::vector<ValueId> inputs, Attrs attrs, Phase phase);
  // Gives a node other inputs and infers its shape. Absent inputs at the end are dropped.
  void SetInputs(ValueId id, std::vector<ValueId> inputs);
  // Makes every use of `from`, the graph's outputs included, a use of `to`, and erases `from`.
  void Replace(ValueId from, ValueId to);
  // The same, but `from` stays, as an input of `to`.
  void MoveUses(ValueId from, ValueId to);

  // Tidies the graph if anything was edited, and returns whether it was.
  bool Finish();

 private:
  Shape Infer(const Node& node) const;

  Graph& graph_;
  ValueId original_ = 0;
  std::vector<char> erased_;
  std::vector<int> uses_;
  bool changed_ = false;
};

// The parts of Conv2d, ConvTemporal and Linear that fusing passes share.
bool IsLayer(Op op);
Act LayerAct(const Node& node);
void SetLayerAct(Node& node, Act act);
enum LayerInput : size_t { kLayerX = 0, kLayerWeight = 1, kLayerBias = 2, kLayerResidual = 3 };

}  // namespace mvd
