// Rewrites of a graph that keep the function it computes. Each is named, timed and verified, and can be left
// out by name, so that bisection finds the pass that causes a wrong result. They need no weights.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "mvd/ir/graph.h"

namespace mvd {

// A pass returns whether it changed something. Run a second time, it changes nothing.
bool DropDeadCode(Graph& graph);
bool FoldSingleTokenAttention(Graph& graph);
bool HoistExpand(Graph& graph);
bool MergeLinears(Graph& graph);
bool FoldConstants(Graph& graph);
bool HoistClipInvariants(Graph& graph);
bool FuseNormActivation(Graph& graph);
bool FuseGeglu(Graph& graph);
bool FuseVectorBias(Graph& graph);
bool FuseResidual(Graph& graph);
bool FuseActivation(Graph& graph);

struct Pass {
  std::string_view name;
  std::string_view reason;
  bool (*run)(Graph&);
};

// All of them, in the order they run, which matters: what removes work comes before what shares it. Phases
// are known before fusing, because a fused op runs in the later phase of its parts. Vectors join the bias
// before the residual takes the Add. An activation comes last, as in the layer itself:
// act(x w + bias + residual).
inline constexpr Pass kPasses[] = {
    {"dead_code", "what reaches no output need not run", DropDeadCode},
    {"fold_single_token_attention", "softmax over one key is 1: the result is the value",
     FoldSingleTokenAttention},
    {"hoist_expand", "compute on one vector a clip, not on copies of it", HoistExpand},
    {"merge_linears", "two matrices in a row are one where that pays", MergeLinears},
    {"fold_constants", "what depends on weights alone runs when they load", FoldConstants},
    {"hoist_clip_invariants", "what does not depend on the noise runs once a clip", HoistClipInvariants},
    {"fuse_norm_activation", "one sweep over memory instead of two", FuseNormActivation},
    {"fuse_geglu", "the gate never reaches memory", FuseGeglu},
    {"fuse_vector_bias", "a vector for each clip is part of the bias", FuseVectorBias},
    {"fuse_residual", "the sum is the layer's epilogue", FuseResidual},
    {"fuse_activation", "the activation is the layer's epilogue", FuseActivation},
};

struct PassOptions {
  std::vector<std::string> skip = {};  // names of kPasses
  std::vector<std::string> only = {};  // empty: all
  // Called with the graph before (`after` is false) and after each pass that runs; for dumps.
  std::function<void(const Pass&, bool after, const Graph&)> observer = {};
};

struct PassReport {
  struct Entry {
    std::string_view name;
    bool changed = false;
    double seconds = 0;
    int64_t nodes_before = 0, nodes_after = 0;
  };
  std::vector<Entry> entries;  // those that ran, in order
  bool changed() const;
};

// Runs kPasses in order, and Verify after each. Throws Error(kUsage) listing the names if `skip` or `only`
// has one that is not among them.
PassReport RunPasses(Graph& graph, const PassOptions& options = {});

}  // namespace mvd
