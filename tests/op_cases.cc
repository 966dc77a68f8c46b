// Odd sizes, batches, absent and present inputs, every activation, both axes: what kernels get wrong.
#include "tests/op_cases.h"

#include <cmath>

#include "mvd/ir/text.h"

namespace mvd {
namespace {

struct Cases {
  std::vector<OpCase> list;

  OpCase& Add(const std::string& name, const std::string& text) {
    return list.emplace_back(
        OpCase{.name = name,
               .graph = Parse(text.find("output ") == std::string::npos ? text + "output y = y\n" : text),
               .values = {},
               .expected = {},
               .f32_only = false});
  }
};

std::string Input(const std::string& name, const Shape& shape) {
  return name + " = Input {shape=" + ToString(shape) + "}\n";
}
std::string Weight(const std::string& name, const Shape& shape) {
  return name + " = Weight : " + ToString(shape) + "\n";
}

// What Conv2d, ConvTemporal and Linear share.
enum class Bias { kNone, kVector, kPerItem };
struct Layer {
  std::string op;
  Shape x, w;
  std::string attrs = "";
  Bias bias = Bias::kVector;
  Shape residual = {};  // the output's shape; rank 0 for none
};

void AddLayer(Cases& cases, const std::string& name, const Layer& l) {
  std::string text = Input("x", l.x) + Weight("w", l.w);
  if (l.bias == Bias::kVector) text += Weight("b", {l.w[0]});
  if (l.bias == Bias::kPerItem) text += Input("b", {l.x[0], 1, 1, 1, l.w[0]});
  if (l.residual.rank()) text += Input("r", l.residual);
  text += "y = " + l.op + "(x, w, " + (l.bias == Bias::kNone ? "_" : "b") +
          (l.residual.rank() ? ", r)" : ")") + (l.attrs.empty() ? "" : " {" + l.attrs + "}") + "\n";
  cases.Add(l.op + "/" + name, text);
}

constexpr const char* kPad1 = "top=1, left=1, bottom=1, right=1";

void Convolutions(Cases& cases) {
  const auto add = [&](const std::string& name, Shape x, Shape w, const std::string& attrs,
                       Bias bias = Bias::kVector, Shape residual = {}) {
    AddLayer(cases, name, {"Conv2d", std::move(x), std::move(w), attrs, bias, std::move(residual)});
  };
  const std::string pad = kPad1;
  add("3x3", {2, 1, 5, 7, 3}, {7, 3, 3, 3}, pad);
  add("no_bias", {1, 3, 5, 3, 13}, {9, 13, 3, 3}, pad, Bias::kNone);
  add("1x1", {2, 2, 3, 5, 17}, {5, 17, 1, 1}, "");
  add("whole_blocks", {1, 2, 8, 8, 64}, {64, 64, 3, 3}, pad);
  add("few_in", {1, 2, 9, 5, 4}, {40, 4, 3, 3}, pad);
  add("few_out", {1, 2, 9, 5, 40}, {4, 40, 3, 3}, pad);
  add("stride2", {2, 2, 9, 7, 17}, {33, 17, 3, 3}, "stride=2, " + pad);
  add("stride2_pad_end", {2, 1, 9, 6, 16}, {16, 16, 3, 3}, "stride=2, bottom=1, right=1");
  add("uneven_padding", {1, 1, 5, 6, 5}, {3, 5, 3, 3}, "left=1, bottom=2");
  add("5x5", {1, 1, 7, 6, 3}, {5, 3, 5, 5}, "top=2, left=2, bottom=2, right=2");
  add("3x1", {1, 1, 7, 6, 6}, {5, 6, 3, 1}, "top=1, bottom=1");
  add("patches", {1, 1, 8, 12, 3}, {10, 3, 4, 4}, "stride=4", Bias::kNone);
  add("one_pixel", {3, 1, 1, 1, 8}, {12, 8, 3, 3}, pad);
  add("residual_alone", {2, 1, 3, 5, 6}, {7, 6, 3, 3}, pad, Bias::kNone, {2, 1, 3, 5, 7});
  add("bias_per_item", {3, 2, 3, 5, 6}, {7, 6, 3, 3}, pad, Bias::kPerItem);
  for (const char* act : {"silu", "gelu", "quick_gelu", "relu", "tanh"}) {
    add(std::string("fused_") + act, {2, 3, 3, 5, 12}, {19, 12, 3, 3}, pad + ", act=" + act, Bias::kPerItem,
        {2, 3, 3, 5, 19});
  }
}

void TemporalConvolutions(Cases& cases) {
  const auto add = [&](const std::string& name, Shape x, Shape w, const std::string& attrs = "",
                       Bias bias = Bias::kVector, Shape residual = {}) {
    AddLayer(cases, name, {"ConvTemporal", std::move(x), std::move(w), attrs, bias, std::move(residual)});
  };
  add("3", {2, 5, 3, 2, 7}, {9, 7, 3, 1, 1});
  add("no_bias", {1, 4, 3, 3, 16}, {16, 16, 3, 1, 1}, "", Bias::kNone);
  add("1", {2, 3, 1, 5, 6}, {11, 6, 1, 1, 1});
  add("5", {1, 7, 2, 3, 6}, {5, 6, 5, 1, 1});
  add("one_frame", {2, 1, 3, 5, 8}, {13, 8, 3, 1, 1});
  add("fewer_frames_than_taps", {2, 2, 3, 1, 8}, {8, 8, 5, 1, 1});
  add("whole_blocks", {1, 14, 4, 4, 64}, {64, 64, 3, 1, 1});
  add("residual_alone", {2, 3, 1, 5, 6}, {6, 6, 3, 1, 1}, "", Bias::kNone, {2, 3, 1, 5, 6});
  add("bias_per_item", {3, 4, 2, 3, 6}, {7, 6, 3, 1, 1}, "", Bias::kPerItem);
  for (const char* act : {"silu", "gelu", "quick_gelu", "relu", "tanh"}) {
    add(std::string("fused_") + act, {2, 4, 3, 3, 12}, {19, 12, 3, 1, 1}, std::string("act=") + act,
        Bias::kPerItem, {2, 4, 3, 3, 19});
  }
}

void Linears(Cases& cases) {
  const auto add = [&](const std::string& name, Shape x, Shape w, const std::string& attrs = "",
                       Bias bias = Bias::kVector, Shape residual = {}) {
    AddLayer(cases, name, {"Linear", std::move(x), std::move(w), attrs, bias, std::move(residual)});
  };
  add("odd", {2, 3, 1, 5, 13}, {7, 13});
  add("no_bias", {2, 1, 3, 5, 16}, {9, 16}, "", Bias::kNone);
  add("one_row", {1, 1, 1, 1, 37}, {64, 37});
  add("one_output", {1, 2, 3, 3, 5}, {1, 5});
  add("one_input", {1, 2, 3, 3, 1}, {6, 1});
  add("many_rows", {1, 1, 33, 17, 64}, {96, 64});
  add("residual_alone", {2, 1, 3, 5, 12}, {12, 12}, "", Bias::kNone, {2, 1, 3, 5, 12});
  add("bias_per_item", {3, 2, 1, 5, 12}, {17, 12}, "", Bias::kPerItem);
  add("geglu", {2, 1, 3, 5, 12}, {22, 12}, "act=geglu");
  add("geglu_no_bias", {1, 2, 5, 3, 64}, {64, 64}, "act=geglu", Bias::kNone);
  for (const char* act : {"silu", "gelu", "quick_gelu", "relu", "tanh"}) {
    add(std::string("fused_") + act, {2, 3, 1, 5, 12}, {19, 12}, std::string("act=") + act, Bias::kPerItem,
        {2, 3, 1, 5, 19});
  }
  // A computed weight, as merged linears have.
  cases.Add("WeightProduct/odd", Weight("u", {13, 5}) + Weight("v", {5, 7}) + Input("x", {1, 1, 3, 3, 7}) +
                                     "y = WeightProduct(u, v) @load\nz = Linear(x, y)\noutput z = z\n");
  // Block-diagonal factors, as channel funnels are: behind a layer and its bias, before one, in convolutions.
  cases.Add("WeightProduct/behind", Weight("f", {3, 2, 5}) + Weight("u", {15, 7}) + Weight("b", {15}) +
                                        Input("x", {1, 2, 3, 3, 7}) +
                                        "y = WeightProduct(f, u) @load\nc = WeightProduct(f, b) @load\nz = "
                                        "Linear(x, y, c)\noutput z = z\n");
  cases.Add("WeightProduct/before", Weight("u", {11, 15}) + Weight("f", {3, 5, 2}) +
                                        Input("x", {1, 2, 3, 3, 6}) +
                                        "y = WeightProduct(u, f) @load\nz = Linear(x, y)\noutput z = z\n");
  cases.Add("WeightProduct/convolutions",
            Weight("f", {4, 6}) + Weight("u", {6, 3, 3, 3}) + Weight("v", {5, 6, 3, 1, 1}) +
                Weight("g", {1, 6, 4}) + Input("x", {1, 3, 5, 4, 3}) +
                "y = WeightProduct(f, u) @load\nq = WeightProduct(v, g) @load\n"
                "h = Conv2d(x, y) {stride=1, top=1, left=1, bottom=1, right=1}\nz = ConvTemporal(h, q)\n"
                "output z = z\n");
  cases.Add("WeightProduct/with_bias", Weight("u", {64, 32}) + Weight("v", {32, 48}) + Weight("b", {64}) +
                                           Input("x", {2, 1, 3, 3, 48}) +
                                           "y = WeightProduct(u, v) @load\nz = Linear(x, y, b)\n"
                                           "output z = z\n");
}

void Norms(Cases& cases) {
  const auto group = [&](const std::string& name, const Shape& x, const std::string& attrs) {
    cases.Add("GroupNorm/" + name, Input("x", x) + Weight("g", {x[-1]}) + Weight("b", {x[-1]}) +
                                       "y = GroupNorm(x, g, b) {" + attrs + "}\n");
  };
  for (const std::string axis : {"spatial", "temporal"}) {
    const std::string attrs = "axis=" + axis;
    group(axis + "_32_groups", {2, 3, 3, 5, 64}, attrs);
    group(axis + "_1_group", {2, 2, 3, 5, 7}, attrs + ", groups=1");
    group(axis + "_odd_width", {2, 3, 5, 2, 12}, attrs + ", groups=4, eps=1e-05");
    group(axis + "_one_pixel", {2, 2, 1, 1, 10}, attrs + ", groups=2");
    group(axis + "_width_1", {1, 2, 7, 5, 6}, attrs + ", groups=6");
    group(axis + "_many_pixels", {1, 2, 37, 29, 96}, attrs);
    for (const char* act : {"silu", "gelu", "quick_gelu", "relu", "tanh"})
      group(axis + "_" + act, {2, 3, 3, 5, 24}, attrs + ", groups=3, act=" + act);
  }
  // A mean far from zero: one-pass variance would cancel.
  cases
      .Add("GroupNorm/large_mean", Input("x", {1, 2, 5, 7, 24}) + Weight("g", {24}) + Weight("b", {24}) +
                                       "far = Affine(x) {shift=30}\ny = GroupNorm(far, g, b) {groups=3}\n")
      .f32_only = true;
  for (int64_t c : {2, 5, 13, 64, 320}) {
    OpCase& added =
        cases.Add("LayerNorm/" + std::to_string(c), Input("x", {2, 3, 1, 5, c}) + Weight("g", {c}) +
                                                        Weight("b", {c}) + "y = LayerNorm(x, g, b)\n");
    added.f32_only = c == 2;  // only the sign of the difference is left: two close channels cancel
  }
  cases
      .Add("LayerNorm/large_mean", Input("x", {1, 2, 1, 3, 40}) + Weight("g", {40}) + Weight("b", {40}) +
                                       "far = Affine(x) {shift=30}\ny = LayerNorm(far, g, b) {eps=1e-06}\n")
      .f32_only = true;
}

void Attentions(Cases& cases) {
  const auto add = [&](const std::string& name, const Shape& q, const Shape& k, const Shape& v, int64_t heads,
                       const std::string& axis) {
    const double scale = 1 / std::sqrt(double(q[-1] / heads));
    cases.Add("Attention/" + axis + "_" + name,
              Input("q", q) + Input("k", k) + Input("v", v) + "y = Attention(q, k, v) {heads=" +
                  std::to_string(heads) + ", scale=" + std::to_string(scale) + ", axis=" + axis + "}\n");
  };
  const auto self = [&](const std::string& name, const Shape& x, int64_t heads, const std::string& axis) {
    add(name, x, x, x, heads, axis);
  };
  for (int64_t width : {8, 64, 80, 13}) {
    const std::string name = "width_" + std::to_string(width);
    self(name, {2, 2, 5, 7, 2 * width}, 2, "spatial");
    self(name, {2, 14, 3, 1, 2 * width}, 2, "temporal");
  }
  self("five_heads", {1, 1, 3, 3, 40}, 5, "spatial");
  self("one_token", {2, 3, 1, 1, 16}, 2, "spatial");
  self("one_frame", {2, 1, 3, 3, 16}, 2, "temporal");
  self("many", {1, 1, 13, 11, 64}, 1, "spatial");
  self("many_frames", {1, 45, 2, 1, 16}, 2, "temporal");
  add("one_key", {2, 2, 3, 5, 16}, {2, 2, 1, 1, 16}, {2, 2, 1, 1, 24}, 2, "spatial");
  add("one_key", {2, 5, 3, 1, 16}, {2, 1, 3, 1, 16}, {2, 1, 3, 1, 24}, 2, "temporal");
  add("more_keys", {2, 1, 2, 3, 16}, {2, 1, 7, 11, 16}, {2, 1, 7, 11, 16}, 2, "spatial");
  add("more_keys", {1, 3, 2, 3, 16}, {1, 9, 2, 3, 16}, {1, 9, 2, 3, 16}, 2, "temporal");
  add("fewer_keys", {1, 2, 9, 7, 16}, {1, 2, 3, 3, 16}, {1, 2, 3, 3, 16}, 1, "spatial");
  add("32_keys", {1, 1, 5, 5, 24}, {1, 1, 4, 8, 24}, {1, 1, 4, 8, 24}, 3, "spatial");
  add("33_keys", {1, 1, 5, 5, 24}, {1, 1, 3, 11, 24}, {1, 1, 3, 11, 24}, 3, "spatial");
  add("other_value_width", {1, 2, 5, 3, 16}, {1, 2, 7, 9, 16}, {1, 2, 7, 9, 26}, 2, "spatial");
}

void PointwiseOps(Cases& cases) {
  for (const std::string act : {"none", "silu", "gelu", "quick_gelu", "relu", "tanh"})
    cases.Add("Activation/" + act, Input("x", {2, 3, 3, 5, 7}) + "y = Activation(x) {act=" + act + "}\n");
  for (int64_t c : {1, 7, 32}) {
    cases.Add("Geglu/" + std::to_string(c), Input("x", {2, 1, 3, 5, 2 * c}) + "y = Geglu(x)\n");
  }
  cases.Add("Affine/odd", Input("x", {2, 1, 3, 5, 7}) + "y = Affine(x) {scale=-0.5, shift=2}\n");
  for (const std::string swapped : {"false", "true"}) {
    cases.Add("Blend/swapped_" + swapped, Input("s", {2, 3, 1, 5, 7}) + Input("r", {2, 3, 1, 5, 7}) +
                                              Weight("m", {1}) + "y = Blend(s, r, m) {swapped=" + swapped +
                                              "}\n");
  }
  cases.Add("Blend/gated", Input("s", {2, 3, 1, 5, 7}) + Input("r", {2, 3, 1, 5, 7}) + Weight("m", {1}) +
                               Input("g", {1, 1, 1, 1, 3}) +
                               "z = Slice(g) {axis=4, start=1, size=1}\ny = Blend(s, r, m, z)\n");
  for (int64_t n : {1, 3}) {
    for (int64_t dim : {2, 6, 320}) {
      OpCase& c =
          cases.Add("Timestep/" + std::to_string(n) + "x" + std::to_string(dim),
                    Input("x", {2, 2, 1, 1, n}) + "y = Timestep(x) {dim=" + std::to_string(dim) + "}\n");
      // Exact in bf16, and as large as timesteps get.
      for (int64_t i = 0; i < 4 * n; ++i) c.values["x"].push_back(float(i % 2 ? 64 * i : i) / 4);
    }
  }
  cases.Add("FrameIndices/14", "y = FrameIndices {frames=14}\n");
}

void Pools(Cases& cases) {
  const auto add = [&](const std::string& name, const Shape& x, const std::string& window) {
    cases.Add("MaxPool/" + name, Input("x", x) + "y = MaxPool(x) {" + window + "}\n");
  };
  add("temporal", {2, 14, 3, 5, 7}, "frames=2, height=1, width=1");
  add("temporal_odd", {2, 5, 3, 5, 7}, "frames=2, height=1, width=1");
  add("spatial_odd", {2, 3, 5, 7, 33}, "frames=1, height=2, width=2");
  add("both", {1, 7, 5, 6, 32}, "frames=2, height=2, width=2");
  add("wide", {1, 5, 1, 4, 3}, "frames=3, height=2, width=5");
}

// Random flows leave the frame on all sides; a sixth of the diagonal, which most of theirs are, stays inside.
void Warps(Cases& cases) {
  const auto add = [&](const std::string& name, const Shape& x, const Shape& flow, const Shape& weight,
                       const Shape& other) {
    std::string text = Input("x", x) + Input("f", flow), inputs = "x, d";
    if (weight.rank() || other.rank()) inputs += weight.rank() ? ", w" : ", _";
    if (weight.rank()) text += Input("w", weight);
    if (other.rank()) text += Input("o", other), inputs += ", o";
    cases.Add("Warp/" + name, text + "d = Affine(f) {scale=0.15}\ny = Warp(" + inputs + ")\n").f32_only =
        true;
  };
  add("same_size", {1, 1, 7, 9, 3}, {1, 1, 7, 9, 2}, {}, {});
  add("small_flow", {2, 1, 11, 9, 3}, {2, 3, 3, 4, 2}, {}, {});
  add("large_flow", {1, 1, 3, 4, 2}, {1, 2, 7, 9, 2}, {}, {});
  add("picture_per_frame", {2, 3, 5, 6, 5}, {2, 3, 5, 6, 2}, {}, {});
  add("weight", {1, 1, 8, 6, 3}, {1, 2, 4, 3, 2}, {1, 2, 2, 3, 1}, {});
  add("other", {1, 1, 8, 6, 3}, {1, 2, 4, 3, 2}, {}, {1, 2, 4, 2, 3});
  add("all", {2, 1, 9, 7, 3}, {2, 2, 3, 4, 2}, {2, 2, 9, 7, 1}, {2, 2, 5, 3, 3});
}

void Broadcasts(Cases& cases, const std::string& op) {
  const auto add = [&](const std::string& name, const Shape& a, const Shape& b) {
    cases.Add(op + "/" + name, Input("a", a) + Input("b", b) + "y = " + op + "(a, b)\n");
  };
  add("same", {2, 3, 3, 5, 7}, {2, 3, 3, 5, 7});
  add("channels", {2, 3, 3, 5, 7}, {1, 1, 1, 1, 7});
  add("vector_per_item", {2, 3, 3, 5, 7}, {2, 1, 1, 1, 7});
  add("vector_per_frame", {2, 3, 3, 5, 7}, {1, 3, 1, 1, 7});
  add("first_is_small", {1, 1, 1, 1, 7}, {2, 3, 3, 5, 7});
  add("number", {2, 3, 3, 5, 7}, {1, 1, 1, 1, 1});
  add("one_channel", {2, 3, 3, 5, 7}, {2, 3, 3, 5, 1});
  add("both_ways", {2, 1, 3, 1, 4}, {1, 5, 1, 7, 1});
}

void Rearrangements(Cases& cases) {
  for (int axis = 0; axis < 5; ++axis) {
    const std::string name = "axis_" + std::to_string(axis);
    const std::string attrs = "{axis=" + std::to_string(axis);
    Shape a{2, 3, 4, 5, 6}, b = a, c = a;
    b[axis] = 1, c[axis] = 7;
    cases.Add("Concat/" + name,
              Input("a", a) + Input("b", b) + Input("c", c) + "y = Concat(a, b, c) " + attrs + "}\n");
    cases.Add("Slice/" + name,
              Input("x", {3, 5, 7, 4, 9}) + "y = Slice(x) " + attrs + ", start=1, size=2}\n");
    Shape one{2, 3, 4, 5, 6};
    const std::string target = ToString(one);
    one[axis] = 1;
    cases.Add("Expand/" + name, Input("x", one) + "y = Expand(x) {shape=" + target + "}\n");
  }
  cases.Add("Concat/same_twice", Input("a", {2, 1, 3, 1, 5}) + "y = Concat(a, a) {axis=4}\n");
  cases.Add("Slice/whole", Input("x", {1, 2, 3, 2, 5}) + "y = Slice(x) {axis=4, start=0, size=5}\n");
  cases.Add("Expand/vector", Input("x", {2, 1, 1, 1, 7}) + "y = Expand(x) {shape=(2,3,2,5,7)}\n");
  cases.Add("Reshape/tokens", Input("x", {2, 3, 3, 5, 7}) + "y = Reshape(x) {shape=(1,6,1,15,7)}\n");
  cases.Add("Reshape/channels", Input("x", {2, 3, 1, 1, 12}) + "y = Reshape(x) {shape=(2,1,1,1,36)}\n");
  // A view of a computed value, used beside it.
  cases.Add("Reshape/alias", Input("x", {2, 3, 1, 1, 12}) + "a = Affine(x) {scale=2}\n" +
                                 "y = Reshape(a) {shape=(1,6,1,1,12)}\nb = Affine(a) {scale=3}\n" +
                                 "output y = y\noutput a = a\noutput b = b\n");
  const auto resize = [&](const std::string& name, const Shape& x, const std::string& target) {
    cases.Add("ResizeNearest/" + name, Input("x", x) + "y = ResizeNearest(x) {" + target + "}\n");
  };
  resize("double", {2, 2, 3, 5, 7}, "frames=2, height=6, width=10");
  resize("to_odd", {1, 2, 3, 5, 7}, "frames=2, height=5, width=9");
  resize("down", {1, 2, 9, 7, 4}, "frames=2, height=4, width=3");
  resize("frames_up", {2, 3, 2, 3, 5}, "frames=5, height=2, width=3");
  resize("frames_down", {2, 5, 2, 3, 5}, "frames=3, height=2, width=3");
  resize("all", {1, 2, 2, 3, 5}, "frames=4, height=3, width=7");
}

}  // namespace

std::vector<OpCase> RandomCases() {
  Cases cases;
  Convolutions(cases);
  TemporalConvolutions(cases);
  Linears(cases);
  Norms(cases);
  Attentions(cases);
  PointwiseOps(cases);
  Pools(cases);
  Warps(cases);
  Broadcasts(cases, "Add");
  Broadcasts(cases, "Multiply");
  Rearrangements(cases);
  return std::move(cases.list);
}

}  // namespace mvd
