// Cases whose results are worked out by hand: they hold the reference itself to account.
#include <cmath>
#include <numbers>

#include "mvd/ir/text.h"
#include "tests/op_cases.h"

namespace mvd {
namespace {

using Floats = std::vector<float>;

struct Cases {
  std::vector<OpCase> list;

  void Add(const std::string& name, const std::string& text, std::map<std::string, Floats> values,
           Floats expected, const std::string& output = "y") {
    list.push_back({.name = name + "/by_hand",
                    .graph = Parse(text + "output out = " + output + "\n"),
                    .values = std::move(values),
                    .expected = std::move(expected),
                    .f32_only = false});
  }
};

// x = Input of `shape`, and a one-line graph over it.
std::string X(const std::string& shape, const std::string& rest) {
  return "x = Input {shape=(" + shape + ")}\n" + rest + "\n";
}

// Phi(1), the normal distribution function: gelu(x) = x Phi(x).
const double kPhi1 = 0.5 * std::erfc(-std::numbers::sqrt2 / 2);
// A scale that makes a score of 1 three times as likely as one of 0.
const std::string kLn3 = "1.0986122886681098";

void Layers(Cases& cases) {
  // A delta gives the kernel back, turned by half a turn: convolution here is correlation.
  cases.Add("Conv2d/delta",
            X("1,1,3,3,1",
              "w = Weight : (1,1,3,3)\nb = Weight : (1)\n"
              "y = Conv2d(x, w, b) {top=1, left=1, bottom=1, right=1}"),
            {{"x", {0, 0, 0, 0, 1, 0, 0, 0, 0}}, {"w", {1, 2, 3, 4, 5, 6, 7, 8, 9}}, {"b", {0.5}}},
            {9.5, 8.5, 7.5, 6.5, 5.5, 4.5, 3.5, 2.5, 1.5});
  cases.Add("Conv2d/one_sided_padding",
            X("1,1,3,3,1", "w = Weight : (1,1,2,2)\ny = Conv2d(x, w) {stride=2, bottom=1, right=1}"),
            {{"x", {1, 2, 3, 4, 5, 6, 7, 8, 9}}, {"w", {1, 1, 1, 1}}}, {1 + 2 + 4 + 5, 3 + 6, 7 + 8, 9});
  cases.Add("Conv2d/weight_order", X("1,1,1,2,2", "w = Weight : (1,2,1,2)\ny = Conv2d(x, w)"),
            {{"x", {3, 4, 5, 6}}, {"w", {1, 2, 10, 20}}}, {3 * 1 + 5 * 2 + 4 * 10 + 6 * 20});
  // act(conv + bias + residual): the second item's sums are negative even with it.
  cases.Add("Conv2d/epilogue",
            X("2,1,1,1,2",
              "w = Weight : (2,2,1,1)\nb = Input {shape=(2,1,1,1,2)}\n"
              "r = Input {shape=(2,1,1,1,2)}\ny = Conv2d(x, w, b, r) {act=relu}"),
            {{"x", {1, 2, -1, -2}}, {"w", {1, 10, 100, 1000}}, {"b", {1, 2, 3, 4}}, {"r", {10, 20, 30, 40}}},
            {21 + 1 + 10, 2100 + 2 + 20, -21 + 3 + 30, 0});
  // Two pixels over three frames: 1, 2, 3 and 0, 1, 0; taps for the frame before, this one, the one after.
  cases.Add("ConvTemporal/taps", X("1,3,1,2,1", "w = Weight : (1,1,3,1,1)\ny = ConvTemporal(x, w)"),
            {{"x", {1, 0, 2, 1, 3, 0}}, {"w", {10, 1, 100}}}, {201, 100, 312, 1, 23, 10});
  // Two items of one frame: frames of another item are not neighbours.
  cases.Add("ConvTemporal/items",
            X("2,1,1,1,1",
              "w = Weight : (1,1,3,1,1)\nb = Weight : (1)\nr = Input {shape=(2,1,1,1,1)}\n"
              "y = ConvTemporal(x, w, b, r) {act=relu}"),
            {{"x", {1, -5}}, {"w", {10, 1, 100}}, {"b", {2}}, {"r", {20, 1}}}, {20 + 3, 0});
  cases.Add("Linear/epilogue",
            X("1,1,1,1,2",
              "w = Weight : (2,2)\nb = Weight : (2)\nr = Input {shape=(1,1,1,1,2)}\n"
              "y = Linear(x, w, b, r) {act=relu}"),
            {{"x", {1, 2}}, {"w", {1, 2, 3, 4}}, {"b", {1, -220}}, {"r", {100, 200}}}, {5 + 1 + 100, 0});
  cases.Add("Linear/bias_per_item",
            X("2,1,1,2,1", "w = Weight : (1,1)\nb = Input {shape=(2,1,1,1,1)}\ny = Linear(x, w, b)"),
            {{"x", {1, 2, 3, 4}}, {"w", {10}}, {"b", {5, 7}}}, {15, 25, 37, 47});
  // Values 7 and 4, gates 1 and 0.
  cases.Add("Linear/geglu",
            X("1,1,1,1,1", "w = Weight : (4,1)\nb = Weight : (4)\ny = Linear(x, w, b) {act=geglu}"),
            {{"x", {2}}, {"w", {3, 1, 1, -1}}, {"b", {1, 2, -1, 2}}}, {float(7 * kPhi1), 0});
  // x runs over the unit vectors: the columns of ((1,2),(3,4)) ((0,1,2),(1,0,3)) = ((2,1,8),(4,3,18)).
  cases.Add("WeightProduct/columns",
            X("1,1,1,3,3",
              "u = Weight : (2,2)\nv = Weight : (2,3)\ny = WeightProduct(u, v) @load\n"
              "z = Linear(x, y)"),
            {{"x", {1, 0, 0, 0, 1, 0, 0, 0, 1}}, {"u", {1, 2, 3, 4}}, {"v", {0, 1, 2, 1, 0, 3}}},
            {2, 4, 1, 3, 8, 18}, "z");
  // Two heads of two rows: (1,2) on the first pair, (3,4) on the second; x picks columns again.
  cases.Add("WeightProduct/heads",
            X("1,1,1,2,2",
              "f = Weight : (2,1,2)\nu = Weight : (4,2)\ny = WeightProduct(f, u) @load\n"
              "z = Linear(x, y)"),
            {{"x", {1, 0, 0, 1}}, {"f", {1, 2, 3, 4}}, {"u", {1, 0, 0, 1, 5, 6, 7, 8}}}, {1, 43, 2, 50}, "z");
  cases.Add("WeightProduct/before_heads",
            X("1,1,1,2,2",
              "u = Weight : (1,4)\nf = Weight : (2,2,1)\ny = WeightProduct(u, f) @load\n"
              "z = Linear(x, y)"),
            {{"x", {1, 0, 0, 1}}, {"u", {1, 2, 3, 4}}, {"f", {10, 100, 5, 6}}}, {210, 39}, "z");
}

void Norms(Cases& cases) {
  // Group 0 holds 1, 3, 5, 7: mean 4, biased variance 5; with eps 4 it is divided by 3. Group 1 is constant.
  const std::map<std::string, Floats> values{
      {"x", {1, 3, 9, 9, 5, 7, 9, 9}}, {"g", {3, 3, 1, 1}}, {"b", {0, 1, 2, -2}}};
  const std::string weights = "g = Weight : (4)\nb = Weight : (4)\ny = GroupNorm(x, g, b) ";
  const Floats joint{-3, 0, 2, -2, 1, 4, 2, -2};
  cases.Add("GroupNorm/pixels", X("1,1,1,2,4", weights + "{groups=2, eps=4}"), values, joint);
  cases.Add("GroupNorm/frames", X("1,2,1,1,4", weights + "{groups=2, eps=4, axis=temporal}"), values, joint);
  cases.Add("GroupNorm/relu", X("1,1,1,2,4", weights + "{groups=2, eps=4, act=relu}"), values,
            {0, 0, 2, 0, 1, 4, 2, 0});
  // Each frame by itself: 1, 3 and 5, 7, both of variance 1; with eps 3 divided by 2.
  cases.Add("GroupNorm/each_frame", X("1,2,1,1,4", weights + "{groups=2, eps=3}"), values,
            {-1.5, 2.5, 2, -2, -1.5, 2.5, 2, -2});
  cases.Add("GroupNorm/each_item", X("2,1,1,1,4", weights + "{groups=2, eps=3, axis=temporal}"), values,
            {-1.5, 2.5, 2, -2, -1.5, 2.5, 2, -2});
  cases.Add("LayerNorm/numbers",
            X("1,1,1,2,4", "g = Weight : (4)\nb = Weight : (4)\ny = LayerNorm(x, g, b) {eps=4}"),
            {{"x", {1, 3, 5, 7, 70, 70, 70, 70}}, {"g", {1, 3, 3, 1}}, {"b", {0, 0, 1, 1}}},
            {-1, -1, 2, 2, 0, 0, 1, 1});
}

void Attentions(Cases& cases) {
  const auto text = [](const std::string& q, const std::string& k, const std::string& v,
                       const std::string& attrs) {
    return "q = Input {shape=(" + q + ")}\nk = Input {shape=(" + k + ")}\nv = Input {shape=(" + v +
           ")}\ny = Attention(q, k, v) {" + attrs + "}\n";
  };
  const std::string scale = "scale=" + kLn3;
  // One-hot queries and keys: three parts of the token itself, one of the other.
  cases.Add("Attention/one_hot", text("1,1,1,2,2", "1,1,1,2,2", "1,1,1,2,1", scale),
            {{"q", {1, 0, 0, 1}}, {"k", {1, 0, 0, 1}}, {"v", {4, 8}}}, {5, 7});
  // Each head sees its own channel of queries and keys alone.
  cases.Add("Attention/two_heads", text("1,1,2,1,2", "1,1,2,1,2", "1,1,2,1,2", "heads=2, " + scale),
            {{"q", {1, 0, 0, 1}}, {"k", {1, 0, 0, 1}}, {"v", {4, 40, 8, 80}}}, {5, 60, 6, 70});
  // Over frames: the first pixel is one-hot, the second has zero queries and so the mean.
  cases.Add("Attention/frames", text("1,2,1,2,2", "1,2,1,2,2", "1,2,1,2,1", "axis=temporal, " + scale),
            {{"q", {1, 0, 0, 0, 0, 1, 0, 0}}, {"k", {1, 0, 5, 6, 0, 1, 7, 8}}, {"v", {4, 100, 8, 200}}},
            {5, 150, 7, 150});
  cases.Add("Attention/frames_of_each_item", text("2,2,1,1,1", "2,2,1,1,1", "2,2,1,1,1", "axis=temporal"),
            {{"q", {0, 0, 0, 0}}, {"v", {1, 3, 10, 30}}}, {2, 2, 20, 20});
  cases.Add("Attention/one_key", text("1,1,1,2,2", "1,1,1,1,2", "1,1,1,1,2", ""),
            {{"q", {1, 2, -3, 9}}, {"k", {5, -7}}, {"v", {11, 12}}}, {11, 12, 11, 12});
  // Scores of 1000 overflow exp unless the largest is taken off.
  cases.Add("Attention/large_scores", text("1,1,1,1,1", "1,1,1,2,1", "1,1,1,2,1", ""),
            {{"q", {1000}}, {"k", {1, -1}}, {"v", {3, 4}}}, {3});
  // More keys than queries, in two items: the mean of each item's own values.
  cases.Add("Attention/mean", text("2,1,1,1,1", "2,1,1,3,1", "2,1,1,3,1", ""),
            {{"q", {0, 0}}, {"v", {1, 2, 6, 10, 20, 60}}}, {3, 30});
}

void PointwiseOps(Cases& cases) {
  const double silu = 1 / (1 + std::exp(-1.0)), quick = 1 / (1 + std::exp(-1.702)), tanh = std::tanh(1.0);
  const auto activation = [&](const std::string& act, Floats expected) {
    cases.Add("Activation/" + act, X("1,1,1,1,5", "y = Activation(x) {act=" + act + "}"),
              {{"x", {0, 1, -1, 100, -100}}}, std::move(expected));
  };
  activation("none", {0, 1, -1, 100, -100});
  activation("silu", {0, float(silu), float(silu - 1), 100, 0});
  activation("gelu", {0, float(kPhi1), float(kPhi1 - 1), 100, 0});
  activation("quick_gelu", {0, float(quick), float(quick - 1), 100, 0});
  activation("relu", {0, 1, 0, 100, 0});
  activation("tanh", {0, float(tanh), float(-tanh), 1, -1});
  cases.Add("Geglu/halves", X("1,1,1,2,4", "y = Geglu(x)"), {{"x", {2, 3, 1, 0, 5, 6, 0, 1}}},
            {float(2 * kPhi1), 0, 0, float(6 * kPhi1)});
  cases.Add("Affine/numbers", X("1,1,1,1,2", "y = Affine(x) {scale=3, shift=-1}"), {{"x", {1, 2}}}, {2, 5});
  const auto blend = [&](const std::string& name, const std::string& attrs, double mix, Floats expected) {
    cases.Add("Blend/" + name,
              "s = Input {shape=(1,1,1,1,2)}\nr = Input {shape=(1,1,1,1,2)}\nm = Weight : (1)\n"
              "y = Blend(s, r, m)" +
                  attrs + "\n",
              {{"s", {4, 0}}, {"r", {8, 4}}, {"m", {float(mix)}}}, std::move(expected));
  };
  blend("half", "", 0, {6, 2});
  blend("three_quarters", "", std::log(3.0), {5, 1});
  blend("swapped", " {swapped=true}", std::log(3.0), {7, 3});
  cases.Add("Blend/shut",
            "s = Input {shape=(1,1,1,1,2)}\nr = Input {shape=(1,1,1,1,2)}\nm = Weight : (1)\n"
            "g = Input {shape=(1,1,1,1,1)}\ny = Blend(s, r, m, g)\n",
            {{"s", {4, 0}}, {"r", {8, 4}}, {"m", {0}}, {"g", {0}}}, {4, 0});
  cases.Add("MaxPool/last_window", X("1,3,1,1,2", "y = MaxPool(x) {frames=2, height=1, width=1}"),
            {{"x", {1, -2, 3, -4, -5, 6}}}, {3, -2, -5, 6});
  cases.Add("FrameIndices/5", "y = FrameIndices {frames=5}\n", {}, {0, 1, 2, 3, 4});
  cases.Add("Timestep/zero", X("1,1,1,1,1", "y = Timestep(x) {dim=6}"), {{"x", {0}}}, {1, 1, 1, 0, 0, 0});
  // Frequencies 1 and 10000^(-1/2) = 0.01; cosines first, for each of the two numbers.
  const auto cos = [](double x) { return float(std::cos(x)); };
  const auto sin = [](double x) { return float(std::sin(x)); };
  cases.Add("Timestep/two", X("1,1,1,1,2", "y = Timestep(x) {dim=4}"), {{"x", {1, 100}}},
            {cos(1), cos(0.01), sin(1), sin(0.01), cos(100), cos(1), sin(100), sin(1)});
}

void Rearrangements(Cases& cases) {
  const auto add = [&](const std::string& name, const std::string& a, const std::string& b, Floats va,
                       Floats vb, Floats expected, const std::string& y = "Add(a, b)") {
    cases.Add(name, "a = Input {shape=(" + a + ")}\nb = Input {shape=(" + b + ")}\ny = " + y + "\n",
              {{"a", std::move(va)}, {"b", std::move(vb)}}, std::move(expected));
  };
  add("Multiply/channels", "1,1,1,2,2", "1,1,1,1,2", {1, 2, 3, 4}, {10, 100}, {10, 200, 30, 400},
      "Multiply(a, b)");
  add("Add/vector", "1,1,1,2,2", "1,1,1,1,2", {1, 2, 3, 4}, {10, 20}, {11, 22, 13, 24});
  add("Add/outer", "1,1,2,1,1", "1,1,1,3,1", {1, 2}, {10, 20, 30}, {11, 21, 31, 12, 22, 32});
  add("Concat/channels", "1,1,1,2,1", "1,1,1,2,2", {1, 2}, {3, 4, 5, 6}, {1, 3, 4, 2, 5, 6},
      "Concat(a, b) {axis=4}");
  add("Concat/rows", "1,2,1,2,1", "1,2,1,2,1", {1, 2, 3, 4}, {5, 6, 7, 8}, {1, 2, 5, 6, 3, 4, 7, 8},
      "Concat(a, b) {axis=2}");
  const Floats count{0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
  const auto one = [&](const std::string& name, const std::string& shape, const std::string& y, size_t n,
                       Floats expected) {
    cases.Add(name, X(shape, "y = " + y), {{"x", Floats(count.begin(), count.begin() + int64_t(n))}},
              std::move(expected));
  };
  one("Slice/channels", "1,1,1,2,3", "Slice(x) {axis=4, start=1, size=2}", 6, {1, 2, 4, 5});
  one("Slice/frames", "1,3,1,2,1", "Slice(x) {axis=1, start=2, size=1}", 6, {4, 5});
  one("Expand/frames", "1,1,1,2,1", "Expand(x) {shape=(1,2,1,2,2)}", 2, {0, 0, 1, 1, 0, 0, 1, 1});
  one("Reshape/order", "1,1,2,3,1", "Reshape(x) {shape=(1,3,1,1,2)}", 6, {0, 1, 2, 3, 4, 5});
  one("ResizeNearest/3_to_5", "1,1,1,3,1", "ResizeNearest(x) {width=5}", 3, {0, 0, 1, 1, 2});
  one("ResizeNearest/5_to_3", "1,1,5,1,1", "ResizeNearest(x) {height=3}", 5, {0, 1, 3});
  one("ResizeNearest/frames", "1,2,1,1,2", "ResizeNearest(x) {frames=3}", 4, {0, 1, 0, 1, 2, 3});
  one("ResizeNearest/double", "1,1,2,2,1", "ResizeNearest(x) {height=4, width=4}", 4,
      {0, 0, 1, 1, 0, 0, 1, 1, 2, 2, 3, 3, 2, 2, 3, 3});
}

// Pictures of 3x4 pixels, whose diagonal is 5: a flow of 0.2 reads one pixel further.
void Warps(Cases& cases) {
  const std::string text =
      "x = Input {shape=(1,1,3,4,1)}\nf = Input {shape=(1,1,1,1,2)}\nw = Input {shape=(1,1,1,1,1)}\n"
      "o = Input {shape=(1,1,1,1,1)}\n";
  const Floats picture{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
  const auto add = [&](const std::string& name, const std::string& inputs, Floats flow, Floats expected) {
    cases.Add("Warp/" + name, text + "y = Warp(" + inputs + ")\n",
              {{"x", picture}, {"f", std::move(flow)}, {"w", {0.25f}}, {"o", {100}}}, std::move(expected));
    cases.list.back().f32_only = true;
  };
  add("right", "x, f", {0.2f, 0}, {1, 2, 3, 3, 5, 6, 7, 7, 9, 10, 11, 11});
  add("half_up", "x, f", {0, -0.1f}, {0, 1, 2, 3, 2, 3, 4, 5, 6, 7, 8, 9});
  add("weight", "x, f, w", {0, 0}, {0, .25f, .5f, .75f, 1, 1.25f, 1.5f, 1.75f, 2, 2.25f, 2.5f, 2.75f});
  add("far_with_other", "x, f, w, o", {10, 10},
      {77.75f, 77.75f, 77.75f, 77.75f, 77.75f, 77.75f, 77.75f, 77.75f, 77.75f, 77.75f, 77.75f, 77.75f});
}

}  // namespace

std::vector<OpCase> ClosedFormCases() {
  Cases cases;
  Layers(cases);
  Norms(cases);
  Attentions(cases);
  PointwiseOps(cases);
  Rearrangements(cases);
  Warps(cases);
  return std::move(cases.list);
}

}  // namespace mvd
