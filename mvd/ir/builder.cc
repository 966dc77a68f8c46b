#include "mvd/ir/builder.h"

#include "mvd/base/check.h"

namespace mvd {

Builder::Builder(std::string graph_name) { graph_.name = std::move(graph_name); }

std::string Builder::Path(const std::string& name) const {
  std::string path;
  for (const std::string& scope : scopes_) path += scope + ".";
  return path + name;
}

ValueId Builder::Make(Op op, const std::string& name, std::vector<ValueId> inputs, Attrs attrs) {
  while (inputs.size() > size_t(Info(op).min_inputs) && inputs.back() == kNoValue) inputs.pop_back();
  Node node{.op = op,
            .inputs = std::move(inputs),
            .attrs = std::move(attrs),
            .shape = {},
            .name = name,
            .phase = Phase::kStep};
  // Ops without weights share names such as "silu": number them from the second on.
  for (int n = 2; !names_.insert(node.name).second; ++n) node.name = name + "#" + std::to_string(n);
  std::vector<Shape> shapes;
  for (ValueId input : node.inputs) shapes.push_back(input == kNoValue ? Shape{} : graph_.shape(input));
  node.shape = InferShape(node, shapes);
  graph_.nodes.push_back(std::move(node));
  return ValueId(graph_.nodes.size() - 1);
}

ValueId Builder::Input(const std::string& name, Shape shape, Phase phase) {
  MVD_CHECK_EQ(shape.rank(), 5);
  const ValueId id = Make(Op::kInput, name, {}, InputAttrs{.shape = std::move(shape), .phase = phase});
  graph_.node(id).phase = phase;
  return id;
}

ValueId Builder::Weight(const std::string& name, Shape shape) {
  const std::string path = Path(name);
  if (const auto found = weights_.find(path); found != weights_.end()) {
    MVD_CHECK_EQ(graph_.shape(found->second), shape);
    return found->second;
  }
  MVD_CHECK(names_.insert(path).second, "weight ", path, " has the name of another node");
  graph_.nodes.push_back(Node{.op = Op::kWeight,
                              .inputs = {},
                              .attrs = NoAttrs{},
                              .shape = std::move(shape),
                              .name = path,
                              .phase = Phase::kLoad});
  return weights_[path] = ValueId(graph_.nodes.size() - 1);
}

void Builder::Output(const std::string& name, ValueId value) { graph_.outputs.push_back({name, value}); }

ValueId Builder::Conv2d(ValueId x, const std::string& name, int64_t out_channels, const Conv& conv) {
  const int64_t pad = conv.padding >= 0 ? conv.padding : conv.kernel / 2;
  Conv2dAttrs attrs{
      .stride = conv.stride, .top = pad, .left = pad, .bottom = pad, .right = pad, .act = Act::kNone};
  if (conv.pad_end_only) attrs.top = attrs.left = 0;
  const ValueId w = Weight(name + ".weight", {out_channels, dims(x).c, conv.kernel, conv.kernel});
  const ValueId b = conv.bias ? Weight(name + ".bias", {out_channels}) : kNoValue;
  return Make(Op::kConv2d, Path(name), {x, w, b}, attrs);
}

ValueId Builder::Conv2dWith(ValueId x, const std::string& name, ValueId weight, ValueId bias) {
  const int64_t pad = shape(weight)[2] / 2;
  return Make(
      Op::kConv2d, Path(name), {x, weight, bias},
      Conv2dAttrs{.stride = 1, .top = pad, .left = pad, .bottom = pad, .right = pad, .act = Act::kNone});
}

ValueId Builder::ConvTemporal(ValueId x, const std::string& name, int64_t out_channels, int64_t kernel) {
  const ValueId w = Weight(name + ".weight", {out_channels, dims(x).c, kernel, 1, 1});
  return ConvTemporalWith(x, name, w, Weight(name + ".bias", {out_channels}));
}
ValueId Builder::ConvTemporalWith(ValueId x, const std::string& name, ValueId weight, ValueId bias) {
  return Make(Op::kConvTemporal, Path(name), {x, weight, bias}, ConvAttrs{});
}

ValueId Builder::Linear(ValueId x, const std::string& name, int64_t out_features, bool bias) {
  const ValueId w = Weight(name + ".weight", {out_features, dims(x).c});
  return LinearWith(x, name, w, bias ? Weight(name + ".bias", {out_features}) : kNoValue);
}
ValueId Builder::LinearWith(ValueId x, const std::string& name, ValueId weight, ValueId bias) {
  return Make(Op::kLinear, Path(name), {x, weight, bias}, LinearAttrs{});
}

ValueId Builder::GroupNorm(ValueId x, const std::string& name, int64_t groups, double eps, Axis axis) {
  const int64_t c = dims(x).c;
  return Make(Op::kGroupNorm, Path(name), {x, Weight(name + ".weight", {c}), Weight(name + ".bias", {c})},
              GroupNormAttrs{.groups = groups, .eps = eps, .axis = axis, .act = Act::kNone});
}

ValueId Builder::LayerNorm(ValueId x, const std::string& name, double eps) {
  const int64_t c = dims(x).c;
  return Make(Op::kLayerNorm, Path(name), {x, Weight(name + ".weight", {c}), Weight(name + ".bias", {c})},
              LayerNormAttrs{.eps = eps});
}

ValueId Builder::Blend(ValueId spatial, ValueId temporal, const std::string& mix_factor, bool swapped,
                       ValueId gate) {
  std::vector<ValueId> inputs = {spatial, temporal, Weight(mix_factor, {1})};
  if (gate != kNoValue) inputs.push_back(gate);
  return Make(Op::kBlend, Path("blend"), std::move(inputs), BlendAttrs{.swapped = swapped});
}

ValueId Builder::FrameIndices(int64_t frames) {
  return Make(Op::kFrameIndices, Path("frame_indices"), {}, FrameAttrs{.frames = frames});
}

ValueId Builder::Activation(ValueId x, Act act) {
  return Make(Op::kActivation, Path(std::string(EnumNames<Act>::kNames[size_t(act)])), {x},
              ActivationAttrs{.act = act});
}

ValueId Builder::Geglu(ValueId x) { return Make(Op::kGeglu, Path("geglu"), {x}, NoAttrs{}); }
ValueId Builder::Affine(ValueId x, double scale, double shift) {
  return Make(Op::kAffine, Path("affine"), {x}, AffineAttrs{.scale = scale, .shift = shift});
}
ValueId Builder::Add(ValueId a, ValueId b) { return Make(Op::kAdd, Path("add"), {a, b}, NoAttrs{}); }

ValueId Builder::Multiply(ValueId a, ValueId b) {
  return Make(Op::kMultiply, Path("multiply"), {a, b}, NoAttrs{});
}

ValueId Builder::Warp(ValueId x, ValueId flow, ValueId weight, ValueId other) {
  return Make(Op::kWarp, Path("warp"), {x, flow, weight, other}, NoAttrs{});
}

ValueId Builder::Attention(ValueId q, ValueId k, ValueId v, int64_t heads, double scale, Axis axis) {
  return Make(Op::kAttention, Path("attention"), {q, k, v},
              AttentionAttrs{.heads = heads, .scale = scale, .axis = axis});
}

ValueId Builder::Concat(const std::vector<ValueId>& parts, int64_t axis) {
  return Make(Op::kConcat, Path("concat"), parts, AxisAttrs{.axis = axis});
}
ValueId Builder::Slice(ValueId x, int64_t axis, int64_t start, int64_t size) {
  return Make(Op::kSlice, Path("slice"), {x}, SliceAttrs{.axis = axis, .start = start, .size = size});
}
ValueId Builder::Expand(ValueId x, Shape shape) {
  return Make(Op::kExpand, Path("expand"), {x}, ShapeAttrs{.shape = std::move(shape)});
}
ValueId Builder::Reshape(ValueId x, Shape shape) {
  return Make(Op::kReshape, Path("reshape"), {x}, ShapeAttrs{.shape = std::move(shape)});
}
ValueId Builder::ResizeNearest(ValueId x, int64_t frames, int64_t height, int64_t width) {
  return Make(Op::kResizeNearest, Path("resize"), {x},
              ResizeAttrs{.frames = frames, .height = height, .width = width});
}
ValueId Builder::MaxPool(ValueId x, int64_t frames, int64_t height, int64_t width) {
  return Make(Op::kMaxPool, Path("max_pool"), {x},
              PoolAttrs{.frames = frames, .height = height, .width = width});
}
ValueId Builder::WeightProduct(ValueId a, ValueId b) {
  return Make(Op::kWeightProduct, Path("weight_product"), {a, b}, NoAttrs{});
}
ValueId Builder::Timestep(ValueId x, int64_t dim) {
  return Make(Op::kTimestep, Path("timestep"), {x}, TimestepAttrs{.dim = dim});
}

Graph Builder::Finish() {
  Verify(graph_);
  return std::move(graph_);
}

}  // namespace mvd
