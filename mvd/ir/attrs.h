// Attributes of ops: plain structs. Each lists its fields once, in Visit; text, comparison and hashing use
// that list.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>

#include "mvd/base/tensor.h"

namespace mvd {

// Names of an enum's values, in order. Specialised beside each enum.
template <class E>
struct EnumNames;

enum class Act { kNone, kSilu, kGelu, kQuickGelu, kRelu, kTanh, kGeglu };
template <>
struct EnumNames<Act> {
  static constexpr std::array<std::string_view, 7> kNames = {"none", "silu", "gelu", "quick_gelu",
                                                             "relu", "tanh", "geglu"};
};

// How often a value changes: once per model, once per clip, or with every call.
enum class Phase { kLoad, kClip, kStep };
template <>
struct EnumNames<Phase> {
  static constexpr std::array<std::string_view, 3> kNames = {"load", "clip", "step"};
};

// Which axes hold the tokens: (H,W) for each (B,T), or T for each (B,H,W). Keys and queries may differ in
// their number of tokens.
enum class Axis { kSpatial, kTemporal };
template <>
struct EnumNames<Axis> {
  static constexpr std::array<std::string_view, 2> kNames = {"spatial", "temporal"};
};

struct NoAttrs {
  template <class V>
  void Visit(V&&) {}
};
struct InputAttrs {
  Shape shape;
  Phase phase = Phase::kStep;
  template <class V>
  void Visit(V&& v) {
    v("shape", shape), v("phase", phase);
  }
};
struct FrameAttrs {
  int64_t frames = 1;
  template <class V>
  void Visit(V&& v) {
    v("frames", frames);
  }
};
struct Conv2dAttrs {
  int64_t stride = 1;
  int64_t top = 0, left = 0, bottom = 0, right = 0;  // zero padding, pixels
  Act act = Act::kNone;
  template <class V>
  void Visit(V&& v) {
    v("stride", stride), v("top", top), v("left", left), v("bottom", bottom), v("right", right),
        v("act", act);
  }
};
struct ConvAttrs {
  Act act = Act::kNone;
  template <class V>
  void Visit(V&& v) {
    v("act", act);
  }
};
struct LinearAttrs {
  Act act = Act::kNone;  // kGeglu halves the outputs
  template <class V>
  void Visit(V&& v) {
    v("act", act);
  }
};
struct GroupNormAttrs {
  int64_t groups = 32;
  double eps = 1e-6;
  Axis axis = Axis::kSpatial;  // kTemporal: statistics over (T,H,W) together
  Act act = Act::kNone;
  template <class V>
  void Visit(V&& v) {
    v("groups", groups), v("eps", eps), v("axis", axis), v("act", act);
  }
};
struct LayerNormAttrs {
  double eps = 1e-5;
  template <class V>
  void Visit(V&& v) {
    v("eps", eps);
  }
};
struct AttentionAttrs {
  int64_t heads = 1;
  double scale = 1;
  Axis axis = Axis::kSpatial;
  template <class V>
  void Visit(V&& v) {
    v("heads", heads), v("scale", scale), v("axis", axis);
  }
};
struct ActivationAttrs {
  Act act = Act::kSilu;
  template <class V>
  void Visit(V&& v) {
    v("act", act);
  }
};
struct AffineAttrs {
  double scale = 1, shift = 0;
  template <class V>
  void Visit(V&& v) {
    v("scale", scale), v("shift", shift);
  }
};
struct BlendAttrs {
  bool swapped = false;  // diffusers' switch_spatial_to_temporal_mix: a = 1 - sigmoid(mix)
  template <class V>
  void Visit(V&& v) {
    v("swapped", swapped);
  }
};
struct AxisAttrs {
  int64_t axis = 4;
  template <class V>
  void Visit(V&& v) {
    v("axis", axis);
  }
};
struct SliceAttrs {
  int64_t axis = 4, start = 0, size = 1;
  template <class V>
  void Visit(V&& v) {
    v("axis", axis), v("start", start), v("size", size);
  }
};
struct ShapeAttrs {
  Shape shape;
  template <class V>
  void Visit(V&& v) {
    v("shape", shape);
  }
};
struct ResizeAttrs {
  int64_t frames = 1, height = 1, width = 1;
  template <class V>
  void Visit(V&& v) {
    v("frames", frames), v("height", height), v("width", width);
  }
};
struct PoolAttrs {
  int64_t frames = 1, height = 1, width = 1;  // of a window, which is also the stride
  template <class V>
  void Visit(V&& v) {
    v("frames", frames), v("height", height), v("width", width);
  }
};
struct TimestepAttrs {
  int64_t dim = 320;
  template <class V>
  void Visit(V&& v) {
    v("dim", dim);
  }
};

using Attrs =
    std::variant<NoAttrs, InputAttrs, FrameAttrs, Conv2dAttrs, ConvAttrs, LinearAttrs, GroupNormAttrs,
                 LayerNormAttrs, AttentionAttrs, ActivationAttrs, AffineAttrs, BlendAttrs, AxisAttrs,
                 SliceAttrs, ShapeAttrs, ResizeAttrs, PoolAttrs, TimestepAttrs>;

}  // namespace mvd
