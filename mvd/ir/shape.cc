// One shape rule an op. A switch without a default: an op without a rule does not compile.
#include "mvd/base/error.h"
#include "mvd/ir/graph.h"

namespace mvd {
namespace {

// Everything a rule needs, with messages that name the node.
struct Rule {
  const Node& node;
  const std::vector<Shape>& in;

  void Expect(bool condition, const std::string& what) const {
    MVD_CHECK(condition, node.name, " (", Name(node.op), "): ", what, Shapes());
  }
  std::string Shapes() const {
    std::string text = "; inputs";
    for (const Shape& shape : in) text += " " + ToString(shape);
    return text;
  }
  bool Has(size_t i) const { return node.input(i) != kNoValue; }
  static Shape Full(const Dims& d) { return {d.b, d.t, d.h, d.w, d.c}; }
};

// Bias (O) or (B,1,1,1,O), residual of the output's shape.
void CheckEpilogue(const Rule& rule, const Shape& out) {
  const Dims d = DimsOf(out);
  if (rule.Has(2)) {
    const Shape& bias = rule.in[2];
    rule.Expect(bias == Shape{d.c} || bias == Shape({d.b, 1, 1, 1, d.c}) || bias == Shape({1, 1, 1, 1, d.c}),
                "bias does not fit the output " + ToString(out));
  }
  if (rule.Has(3)) rule.Expect(rule.in[3] == out, "residual does not fit the output " + ToString(out));
}

Shape Conv2dShape(const Rule& rule) {
  const auto& a = rule.node.as<Conv2dAttrs>();
  Dims d = DimsOf(rule.in[0]);
  const Shape& w = rule.in[1];
  rule.Expect(w.rank() == 4 && w[1] == d.c, "weight is not (O,I,kh,kw) with I the input's channels");
  rule.Expect(a.stride >= 1 && a.top >= 0 && a.left >= 0 && a.bottom >= 0 && a.right >= 0,
              "stride or padding");
  rule.Expect(a.act != Act::kGeglu, "convolutions have no geglu");
  rule.Expect(d.h + a.top + a.bottom >= w[2] && d.w + a.left + a.right >= w[3],
              "input smaller than the kernel");
  d.h = (d.h + a.top + a.bottom - w[2]) / a.stride + 1;
  d.w = (d.w + a.left + a.right - w[3]) / a.stride + 1;
  d.c = w[0];
  CheckEpilogue(rule, Rule::Full(d));
  return Rule::Full(d);
}

Shape ConvTemporalShape(const Rule& rule) {
  Dims d = DimsOf(rule.in[0]);
  const Shape& w = rule.in[1];
  rule.Expect(w.rank() == 5 && w[1] == d.c && w[2] % 2 == 1 && w[3] == 1 && w[4] == 1,
              "weight is not (O,I,kt,1,1)");
  rule.Expect(rule.node.as<ConvAttrs>().act != Act::kGeglu, "convolutions have no geglu");
  d.c = w[0];
  CheckEpilogue(rule, Rule::Full(d));
  return Rule::Full(d);
}

Shape LinearShape(const Rule& rule) {
  Dims d = DimsOf(rule.in[0]);
  const Shape& w = rule.in[1];
  rule.Expect(w.rank() == 2 && w[1] == d.c, "weight is not (O,I) with I the input's last axis");
  d.c = w[0];
  if (rule.node.as<LinearAttrs>().act == Act::kGeglu) {
    rule.Expect(d.c % 2 == 0, "geglu needs an even number of outputs");
    rule.Expect(!rule.Has(3), "geglu takes no residual");
    if (rule.Has(2)) rule.Expect(rule.in[2] == Shape{d.c}, "bias is not (O)");
    d.c /= 2;
    return Rule::Full(d);
  }
  CheckEpilogue(rule, Rule::Full(d));
  return Rule::Full(d);
}

Shape NormShape(const Rule& rule, int64_t groups) {
  const Dims d = DimsOf(rule.in[0]);
  rule.Expect(rule.in[1] == Shape{d.c} && rule.in[2] == Shape{d.c}, "gamma or beta is not (C)");
  rule.Expect(groups >= 1 && d.c % groups == 0, "channels do not divide into groups");
  return Rule::Full(d);
}

Shape AttentionShape(const Rule& rule) {
  const auto& a = rule.node.as<AttentionAttrs>();
  const Dims q = DimsOf(rule.in[0]), k = DimsOf(rule.in[1]), v = DimsOf(rule.in[2]);
  rule.Expect(a.heads >= 1 && q.c % a.heads == 0 && v.c % a.heads == 0, "channels do not divide into heads");
  rule.Expect(q.c == k.c, "query and key widths differ");
  rule.Expect(k.b == v.b && k.t == v.t && k.h == v.h && k.w == v.w, "keys and values differ in tokens");
  const bool spatial = a.axis == Axis::kSpatial;
  rule.Expect(q.b == k.b && (spatial ? q.t == k.t : q.h == k.h && q.w == k.w),
              "queries and keys differ in batch");
  return {q.b, q.t, q.h, q.w, v.c};
}

Shape BroadcastShape(const Rule& rule, const Shape& a, const Shape& b) {
  const Dims x = DimsOf(a), y = DimsOf(b);
  const auto one = [&](int64_t m, int64_t n) {
    rule.Expect(m == n || m == 1 || n == 1, "shapes do not broadcast");
    return std::max(m, n);
  };
  return {one(x.b, y.b), one(x.t, y.t), one(x.h, y.h), one(x.w, y.w), one(x.c, y.c)};
}

Shape WarpShape(const Rule& rule) {
  const Dims x = DimsOf(rule.in[0]), flow = DimsOf(rule.in[1]);
  rule.Expect(x.b == flow.b && (x.t == 1 || x.t == flow.t), "flow differs from x in batch or frames");
  rule.Expect(flow.c == 2, "flow is not (...,2)");
  const auto check = [&](size_t i, int64_t channels, const char* what) {
    if (!rule.Has(i)) return;
    const Dims d = DimsOf(rule.in[i]);
    rule.Expect(d.b == flow.b && d.t == flow.t && d.c == channels, what);
  };
  check(2, 1, "weight is not (B,T,...,1)");
  check(3, x.c, "other is not (B,T,...,C)");
  return {flow.b, flow.t, x.h, x.w, x.c};
}

Shape ConcatShape(const Rule& rule) {
  const int axis = int(rule.node.as<AxisAttrs>().axis);
  rule.Expect(axis >= 0 && axis < 5, "axis is not 0 to 4");
  Shape out = Rule::Full(DimsOf(rule.in[0]));
  for (size_t i = 1; i < rule.in.size(); ++i) {
    Shape part = Rule::Full(DimsOf(rule.in[i]));
    out[axis] += part[axis];
    part[axis] = out[axis];
    rule.Expect(part == out, "parts differ on another axis");
  }
  return out;
}

Shape SliceShape(const Rule& rule) {
  const auto& a = rule.node.as<SliceAttrs>();
  Shape out = Rule::Full(DimsOf(rule.in[0]));
  rule.Expect(a.axis >= 0 && a.axis < 5, "axis is not 0 to 4");
  rule.Expect(a.start >= 0 && a.size >= 1 && a.start + a.size <= out[int(a.axis)], "range outside the axis");
  out[int(a.axis)] = a.size;
  return out;
}

Shape TargetShape(const Rule& rule) {
  const Shape& target = rule.node.as<ShapeAttrs>().shape;
  rule.Expect(target.rank() == 5, "target is not (B,T,H,W,C)");
  if (rule.node.op == Op::kReshape) {
    rule.Expect(target.elements() == rule.in[0].elements(), "target has another number of elements");
  } else {
    rule.Expect(BroadcastShape(rule, rule.in[0], target) == target, "does not broadcast to the target");
  }
  return target;
}

Shape WeightProductShape(const Rule& rule) {
  const Shape &a = rule.in[0], &b = rule.in[1];
  const bool right = b.rank() == 3;
  rule.Expect(right ? a.rank() == 2 || a.rank() > 3 : a.rank() == 2 || a.rank() == 3,
              "not two matrices, nor one block-diagonal factor (n,o,k) and a weight");
  Shape out = right ? a : b;
  if (right) {
    rule.Expect(a[1] == b[0] * b[1], "not (O,n k,...) and (n,k,i)");
    out[1] = b[0] * b[2];
  } else {
    const int64_t blocks = a.rank() == 3 ? a[0] : 1;
    rule.Expect(b[0] == blocks * a[-1], "not (n,o,k) and (n k,...)");
    out[0] = blocks * a[-2];
  }
  return out;
}

}  // namespace

namespace {

// A value of more elements fits no machine. The bound keeps every sum and product of sizes inside int64: a
// node has at most so many bytes, and a graph's nodes together no more than 2^63.
constexpr int64_t kMaxElements = int64_t{1} << 40;

void CheckSize(const Node& node, const Shape& shape) {
  int64_t elements = 1;
  for (int64_t d : shape.dims()) {
    if (d <= 0 || !__builtin_mul_overflow(elements, d, &elements)) continue;
    elements = kMaxElements + 1;
    break;
  }
  if (elements <= kMaxElements) return;
  throw Error(
      Exit::kOutOfMemory, "",
      StrCat(node.name, " would hold ", shape, " numbers, more than any machine: take smaller sizes"));
}

Shape ShapeOf(const Node& node, const std::vector<Shape>& inputs) {
  const Rule rule{node, inputs};
  Dims d = inputs.empty() || node.op == Op::kWeightProduct
               ? Dims{}
               : DimsOf(node.op == Op::kWeight ? Shape{} : inputs[0]);
  switch (node.op) {
    case Op::kInput:
      return node.as<InputAttrs>().shape;
    case Op::kWeight:
      return node.shape;
    case Op::kFrameIndices:
      return {1, node.as<FrameAttrs>().frames, 1, 1, 1};
    case Op::kConv2d:
      return Conv2dShape(rule);
    case Op::kConvTemporal:
      return ConvTemporalShape(rule);
    case Op::kLinear:
      return LinearShape(rule);
    case Op::kGroupNorm:
      return NormShape(rule, node.as<GroupNormAttrs>().groups);
    case Op::kLayerNorm:
      return NormShape(rule, 1);
    case Op::kAttention:
      return AttentionShape(rule);
    case Op::kActivation:
      rule.Expect(node.as<ActivationAttrs>().act != Act::kGeglu, "geglu is an op of its own");
      return Rule::Full(d);
    case Op::kAffine:
      return Rule::Full(d);
    case Op::kGeglu:
      rule.Expect(d.c % 2 == 0, "odd number of channels");
      d.c /= 2;
      return Rule::Full(d);
    case Op::kAdd:
    case Op::kMultiply:
      return BroadcastShape(rule, inputs[0], inputs[1]);
    case Op::kBlend:
      rule.Expect(inputs[2] == Shape{1}, "mix factor is not (1)");
      rule.Expect(DimsOf(inputs[1]).tokens() == d.tokens() && inputs[0] == inputs[1],
                  "branches differ in shape");
      rule.Expect(inputs.size() < 4 || node.inputs[3] == kNoValue || inputs[3].elements() == 1,
                  "gate is not one number");
      return Rule::Full(d);
    case Op::kConcat:
      return ConcatShape(rule);
    case Op::kSlice:
      return SliceShape(rule);
    case Op::kExpand:
    case Op::kReshape:
      return TargetShape(rule);
    case Op::kResizeNearest: {
      const auto& a = node.as<ResizeAttrs>();
      rule.Expect(a.frames >= 1 && a.height >= 1 && a.width >= 1, "empty target");
      return {d.b, a.frames, a.height, a.width, d.c};
    }
    case Op::kWarp:
      return WarpShape(rule);
    case Op::kMaxPool: {
      const auto& a = node.as<PoolAttrs>();
      rule.Expect(a.frames >= 1 && a.height >= 1 && a.width >= 1, "empty window");
      const auto windows = [](int64_t size, int64_t window) { return (size + window - 1) / window; };
      return {d.b, windows(d.t, a.frames), windows(d.h, a.height), windows(d.w, a.width), d.c};
    }
    case Op::kTimestep:
      rule.Expect(node.as<TimestepAttrs>().dim >= 2 && node.as<TimestepAttrs>().dim % 2 == 0,
                  "dim is not even");
      d.c *= node.as<TimestepAttrs>().dim;
      return Rule::Full(d);
    case Op::kWeightProduct:
      return WeightProductShape(rule);
  }
  MVD_CHECK(false, "unknown op");
  return {};
}

}  // namespace

Shape InferShape(const Node& node, const std::vector<Shape>& inputs) {
  const Shape shape = ShapeOf(node, inputs);
  CheckSize(node, shape);
  return shape;
}

}  // namespace mvd
