// Builds a graph. Scopes nest as the model's blocks do, and weights are named by that nesting:
//   Scope block(b, "down_blocks.0"); b.Linear(x, "proj", 320)  uses down_blocks.0.proj.weight and .bias.
#pragma once

#include <map>
#include <string>
#include <unordered_set>
#include <vector>

#include "mvd/ir/graph.h"

namespace mvd {

class Builder {
 public:
  explicit Builder(std::string graph_name);

  ValueId Input(const std::string& name, Shape shape, Phase phase);
  // The weight `<scope>.<name>`. A second call for the same name gives the same node.
  ValueId Weight(const std::string& name, Shape shape);
  void Output(const std::string& name, ValueId value);

  // Layers with weights `<name>.weight`, `<name>.bias` in the current scope.
  struct Conv {
    int64_t kernel = 3;
    int64_t stride = 1;
    bool bias = true;
    bool pad_end_only = false;  // the VAE encoder's downsampler pads right and bottom alone
    int64_t padding = -1;       // -1: kernel / 2
  };
  ValueId Conv2d(ValueId x, const std::string& name, int64_t out_channels, const Conv& conv);
  ValueId Conv2d(ValueId x, const std::string& name, int64_t out_channels) {
    return Conv2d(x, name, out_channels, {});
  }
  ValueId ConvTemporal(ValueId x, const std::string& name, int64_t out_channels, int64_t kernel = 3);
  ValueId Linear(ValueId x, const std::string& name, int64_t out_features, bool bias = true);
  // The same layers with computed weights. kNoValue: no bias.
  ValueId Conv2dWith(ValueId x, const std::string& name, ValueId weight,
                     ValueId bias);  // stride 1, same size
  ValueId ConvTemporalWith(ValueId x, const std::string& name, ValueId weight, ValueId bias);
  ValueId LinearWith(ValueId x, const std::string& name, ValueId weight, ValueId bias);
  ValueId GroupNorm(ValueId x, const std::string& name, int64_t groups, double eps,
                    Axis axis = Axis::kSpatial);
  ValueId LayerNorm(ValueId x, const std::string& name, double eps);
  // `gate`: one number, 1 to let the temporal branch through and 0 to shut it; kNoValue: no gate.
  ValueId Blend(ValueId spatial, ValueId temporal, const std::string& mix_factor, bool swapped,
                ValueId gate = kNoValue);

  // Ops without weights; named after the scope and the op.
  ValueId FrameIndices(int64_t frames);
  ValueId Activation(ValueId x, Act act);
  ValueId Geglu(ValueId x);
  ValueId Affine(ValueId x, double scale, double shift);
  ValueId Add(ValueId a, ValueId b);
  ValueId Multiply(ValueId a, ValueId b);
  // kNoValue: no weight, no other.
  ValueId Warp(ValueId x, ValueId flow, ValueId weight = kNoValue, ValueId other = kNoValue);
  ValueId Attention(ValueId q, ValueId k, ValueId v, int64_t heads, double scale, Axis axis);
  ValueId Concat(const std::vector<ValueId>& parts, int64_t axis);
  ValueId Slice(ValueId x, int64_t axis, int64_t start, int64_t size);
  ValueId Expand(ValueId x, Shape shape);
  ValueId Reshape(ValueId x, Shape shape);
  ValueId ResizeNearest(ValueId x, int64_t frames, int64_t height, int64_t width);
  ValueId MaxPool(ValueId x, int64_t frames, int64_t height, int64_t width);
  ValueId Timestep(ValueId x, int64_t dim);
  ValueId WeightProduct(ValueId a, ValueId b);

  Dims dims(ValueId id) const { return DimsOf(graph_.shape(id)); }
  const Shape& shape(ValueId id) const { return graph_.shape(id); }
  // `name` with the names of the open scopes before it.
  std::string Path(const std::string& name) const;

  // Verifies the graph and returns it. The builder cannot be used afterwards.
  Graph Finish();

 private:
  friend class Scope;
  ValueId Make(Op op, const std::string& name, std::vector<ValueId> inputs, Attrs attrs);

  Graph graph_;
  std::vector<std::string> scopes_;
  std::unordered_set<std::string> names_;
  std::map<std::string, ValueId> weights_;
};

// Pushes a block's name for as long as the object lives.
class Scope {
 public:
  Scope(Builder& builder, std::string name) : builder_(builder) {
    builder_.scopes_.push_back(std::move(name));
  }
  ~Scope() { builder_.scopes_.pop_back(); }
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

 private:
  Builder& builder_;
};

}  // namespace mvd
