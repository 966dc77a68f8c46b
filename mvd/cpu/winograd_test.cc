// Winograd convolutions through the executor against the reference: sizes above the threshold, which the
// cases of the conformance test stay below.
#include "mvd/cpu/winograd.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "mvd/base/rng.h"
#include "mvd/cpu/cpu_executor.h"
#include "mvd/cpu/lower.h"
#include "mvd/exec/metrics.h"
#include "mvd/exec/reference.h"
#include "mvd/ir/text.h"

namespace mvd {
namespace {

struct Case {
  std::string name;
  Shape x;
  int64_t outputs = 64;
  enum { kNone, kVector, kPerItem } bias = kVector;
  std::string act = "none";
  // A residual that is a sum stays f32 in bf16 graphs, one that a norm made is bf16; read_again makes the
  // result part of the stream, f32 too.
  enum { kNoResidual, kSum, kNormed } residual = kNoResidual;
  bool read_again = false;
};

Graph GraphOf(const Case& c) {
  Shape y = c.x;
  y[-1] = c.outputs;
  const auto text = [](const Shape& shape) { return ToString(shape); };
  std::string s = "x = Input {shape=" + text(c.x) + "}\n";
  s += "w = Weight : " + text({c.outputs, c.x[-1], 3, 3}) + "\n";
  if (c.bias == Case::kVector) s += "b = Weight : " + text({c.outputs}) + "\n";
  if (c.bias == Case::kPerItem) s += "b = Input {shape=" + text({c.x[0], 1, 1, 1, c.outputs}) + "}\n";
  if (c.residual != Case::kNoResidual) s += "r0 = Input {shape=" + text(y) + "}\n";
  if (c.residual == Case::kSum) s += "r = Add(r0, r0)\n";
  if (c.residual == Case::kNormed) s += "r = Affine(r0) {scale=2}\n";
  s += std::string("y = Conv2d(x, w, ") + (c.bias == Case::kNone ? "_" : "b") +
       (c.residual == Case::kNoResidual ? "" : ", r") + ") {top=1, left=1, bottom=1, right=1, act=" + c.act +
       "}\n";
  if (c.read_again) s += "z = Add(y, y)\n";
  return Parse(s + "output y = " + (c.read_again ? "z" : "y") + "\n");
}

Tensor Random(const Shape& shape, uint64_t stream, float scale) {
  Tensor tensor(shape);
  PhiloxNormal(/*seed=*/1, stream, 0, tensor.f32());
  for (float& v : tensor.f32()) v *= scale;
  return tensor;
}

Tensor RunCase(Executor& executor, const Graph& graph) {
  MapWeights weights;
  std::vector<Tensor> inputs;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    const float fan_in = node.shape.rank() == 4 ? float(node.shape[1] * 9) : 1.0f;
    if (node.op == Op::kWeight) weights.Set(node.name, Random(node.shape, i, 1 / std::sqrt(fan_in)));
    if (node.op == Op::kInput) inputs.push_back(Random(node.shape, i, 1));
  }
  executor.Load(graph, weights);
  const std::vector<TensorView> views(inputs.begin(), inputs.end());
  return std::move(RunGraph(executor, graph, views)[0]);
}

bool Chosen(const Graph& graph, DType dtype, const IsaLevel& isa) {
  const cpu::Lowered lowered = cpu::Lower(graph, dtype);
  for (size_t i = 0; i < lowered.graph.nodes.size(); ++i) {
    const Node& node = lowered.graph.nodes[i];
    if (node.op != Op::kConv2d) continue;
    return cpu::UsesWinograd(lowered.graph, ValueId(i), lowered.types[size_t(node.inputs[0])], isa);
  }
  return false;
}

std::vector<Case> Cases() {
  return {
      {.name = "odd", .x = {1, 1, 169, 161, 64}},
      {.name = "no_bias", .x = {1, 2, 128, 170, 64}, .outputs = 80, .bias = Case::kNone},
      {.name = "bias_per_item", .x = {2, 2, 122, 119, 80}, .outputs = 96, .bias = Case::kPerItem},
      {.name = "silu_sum",
       .x = {2, 1, 161, 169, 64},
       .bias = Case::kPerItem,
       .act = "silu",
       .residual = Case::kSum,
       .read_again = true},
      {.name = "relu_normed",
       .x = {1, 1, 165, 165, 64},
       .act = "relu",
       .residual = Case::kNormed,
       .read_again = true},
      {.name = "sum_alone", .x = {1, 1, 100, 182, 96}, .bias = Case::kNone, .residual = Case::kSum},
      {.name = "wide", .x = {1, 1, 52, 53, 320}, .outputs = 128, .residual = Case::kNormed},
  };
}

// f32: the transforms' own roundings and sums of up to 320 terms leave 1.1e-6 (measured up to 1.5e-6 at
// 1280). bf16: roundings of x and of the result, 2^-9 / sqrt 3 = 1.1e-3 and at most 1.7e-3 each; transformed
// weights and inputs, 5/3 of that each, 2.7e-3: together 4.6e-3, and as much again for the doubled sum's
// rounding.
double Tolerance(DType dtype) { return dtype == DType::kF32 ? 2e-6 : 6e-3; }

TEST(Winograd, AgreesWithTheReferenceOnAnyThreads) {
  const auto reference = MakeReferenceExecutor({.threads = {.count = 2}});
  for (const Case& c : Cases()) {
    const Graph graph = GraphOf(c);
    const Tensor want = RunCase(*reference, graph);
    for (const IsaLevel& isa : IsaLevels()) {
      for (const DType dtype : {DType::kF32, DType::kBF16}) {
        if (!isa.supported() || !OneDnnAllows(isa) || (dtype == DType::kBF16 && !isa.bf16)) continue;
        if (!Chosen(graph, dtype, isa)) continue;
        SCOPED_TRACE(c.name + " " + std::string(Name(dtype)) + " " + std::string(isa.name));
        Tensor one;
        for (int threads : {1, 2, 3}) {
          const auto executor =
              MakeCpuExecutor({.dtype = dtype, .threads = {.count = threads}, .isa = std::string(isa.name)});
          Tensor got = RunCase(*executor, graph);
          EXPECT_LE(Measure(got.f32(), want.f32()).rel_rms, Tolerance(dtype));
          if (threads == 1)
            one = std::move(got);
          else
            EXPECT_EQ(std::memcmp(got.data(), one.data(), one.view().bytes()), 0) << threads << " threads";
        }
      }
    }
  }
}

TEST(Winograd, IsChosenWhereItWinsOnly) {
  for (const IsaLevel& isa : IsaLevels()) {
    SCOPED_TRACE(isa.name);
    for (const Case& c : Cases()) {
      EXPECT_EQ(Chosen(GraphOf(c), DType::kF32, isa), isa.name != "amx");
      if (isa.bf16) {
        EXPECT_EQ(Chosen(GraphOf(c), DType::kBF16, isa), isa.name == "avx512_bf16");
      }
    }
    EXPECT_FALSE(Chosen(GraphOf({.name = "few_pixels", .x = {1, 4, 160, 169, 64}}), DType::kF32, isa));
    EXPECT_FALSE(Chosen(GraphOf({.name = "few_inputs", .x = {1, 1, 200, 200, 48}}), DType::kF32, isa));
    EXPECT_FALSE(
        Chosen(GraphOf({.name = "few_outputs", .x = {1, 1, 200, 200, 64}, .outputs = 48}), DType::kF32, isa));
    EXPECT_FALSE(
        Chosen(GraphOf({.name = "odd_outputs", .x = {1, 1, 200, 200, 64}, .outputs = 72}), DType::kF32, isa));
    for (const std::string attrs :
         {"stride=2, top=1, left=1, bottom=1, right=1", "top=2, left=0, bottom=1, right=1"}) {
      EXPECT_FALSE(Chosen(Parse("x = Input {shape=(1,1,400,400,64)}\nw = Weight : (64,64,3,3)\n"
                                "y = Conv2d(x, w) {" +
                                attrs + "}\noutput y = y\n"),
                          DType::kF32, isa));
    }
  }
}

TEST(Winograd, IsAnnounced) {
  const Graph graph = GraphOf({.name = "", .x = {1, 1, 128, 64, 128}, .outputs = 128, .bias = Case::kNone});
  const auto announced = [&](const std::string& isa) {
    return MakeCpuExecutor({.dtype = DType::kF32, .threads = {.count = 1}, .isa = isa})->Plan(graph);
  };
  // 128 = whole panels of every level; 2048 tiles in 43 blocks of 48.
  EXPECT_EQ(announced("scalar").weight_bytes, 128 * 128 * 16 * 4);
  EXPECT_GE(announced("scalar").scratch_bytes, 16 * 48 * 128 * 4);
  EXPECT_LT(announced("scalar").scratch_bytes, 2 * 16 * 48 * 128 * 4);
}

}  // namespace
}  // namespace mvd
