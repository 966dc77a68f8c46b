// Text in, text out: what each pass does and what it leaves alone.
#include "mvd/passes/passes.h"

#include <gtest/gtest.h>

#include "mvd/base/error.h"
#include "mvd/ir/text.h"

namespace mvd {
namespace {

const Pass& FindPass(std::string_view name) {
  for (const Pass& pass : kPasses) {
    if (pass.name == name) return pass;
  }
  throw InternalError("no pass " + std::string(name));
}

// The pass turns `before` into `after`, says so, and then has nothing more to do.
void ExpectRewrite(std::string_view pass, const std::string& before, const std::string& after) {
  Graph graph = Parse(before);
  EXPECT_TRUE(FindPass(pass).run(graph)) << before;
  EXPECT_NO_THROW(Verify(graph)) << Print(graph);
  EXPECT_EQ(Print(graph), Print(Parse(after)));
  EXPECT_FALSE(FindPass(pass).run(graph)) << Print(graph);
}

void ExpectUntouched(std::string_view pass, const std::string& text) {
  Graph graph = Parse(text);
  const std::string before = Print(graph);
  EXPECT_FALSE(FindPass(pass).run(graph)) << text;
  EXPECT_EQ(Print(graph), before);
}

TEST(DeadCodeTest, KeepsInputsAndWhatReachesAnOutput) {
  ExpectRewrite("dead_code",
                "x = Input {shape=(1,2,3,3,4)}\n"
                "unused = Input {shape=(1,1,1,1,4), phase=clip}\n"
                "w = Weight : (4,4)\n"
                "dead = Linear(x, w)\n"
                "deader = Activation(dead)\n"
                "y = Affine(x) {scale=2}\n"
                "output y = y\n",
                "x = Input {shape=(1,2,3,3,4)}\n"
                "unused = Input {shape=(1,1,1,1,4), phase=clip}\n"
                "y = Affine(x) {scale=2}\n"
                "output y = y\n");
  ExpectUntouched("dead_code", "x = Input {shape=(1,1,1,1,4)}\ny = Activation(x)\noutput y = y\n");
}

TEST(FoldSingleTokenAttentionTest, SpatialAndTemporal) {
  ExpectRewrite("fold_single_token_attention",
                "x = Input {shape=(1,2,3,5,4)}\n"
                "c = Input {shape=(1,2,1,1,4)}\n"
                "gamma = Weight : (4)\n"
                "norm = LayerNorm(x, gamma, gamma)\n"
                "y = Attention(norm, c, c) {heads=2}\n"
                "output y = y\n",
                "x = Input {shape=(1,2,3,5,4)}\n"
                "c = Input {shape=(1,2,1,1,4)}\n"
                "y.expand = Expand(c) {shape=(1,2,3,5,4)}\n"
                "output y = y.expand\n");
  ExpectRewrite("fold_single_token_attention",
                "x = Input {shape=(1,2,3,5,4)}\n"
                "c = Input {shape=(1,1,3,5,4)}\n"
                "v = Input {shape=(1,1,3,5,6)}\n"
                "y = Attention(x, c, v) {axis=temporal}\n"
                "output y = y\n",
                "x = Input {shape=(1,2,3,5,4)}\n"
                "c = Input {shape=(1,1,3,5,4)}\n"
                "v = Input {shape=(1,1,3,5,6)}\n"
                "y.expand = Expand(v) {shape=(1,2,3,5,6)}\n"
                "output y = y.expand\n");
}

TEST(FoldSingleTokenAttentionTest, TheProjectionBehindItActsOnTheValue) {
  // The context's own copies stay: that is hoist_expand's.
  ExpectRewrite("fold_single_token_attention",
                "x = Input {shape=(1,2,3,5,4)}\n"
                "c = Input {shape=(1,1,1,1,4), phase=clip}\n"
                "w = Weight : (4,4)\n"
                "b = Weight : (4)\n"
                "frames = Expand(c) {shape=(1,2,1,1,4)}\n"
                "v = Linear(frames, w)\n"
                "a = Attention(x, v, v) {heads=2}\n"
                "out = Linear(a, w, b)\n"
                "y = Add(out, x)\n"
                "output y = y\n",
                "x = Input {shape=(1,2,3,5,4)}\n"
                "c = Input {shape=(1,1,1,1,4), phase=clip}\n"
                "w = Weight : (4,4)\n"
                "b = Weight : (4)\n"
                "frames = Expand(c) {shape=(1,2,1,1,4)}\n"
                "v = Linear(frames, w)\n"
                "out = Linear(v, w, b)\n"
                "out.expand = Expand(out) {shape=(1,2,3,5,4)}\n"
                "y = Add(out.expand, x)\n"
                "output y = y\n");
}

TEST(FoldSingleTokenAttentionTest, ValueOfTheSameShapeNeedsNoExpand) {
  ExpectRewrite("fold_single_token_attention",
                "x = Input {shape=(1,1,3,5,4)}\n"
                "c = Input {shape=(1,1,3,5,4)}\n"
                "a = Attention(x, c, c) {axis=temporal}\n"
                "y = Activation(a)\n"
                "output y = y\n",
                "x = Input {shape=(1,1,3,5,4)}\n"
                "c = Input {shape=(1,1,3,5,4)}\n"
                "y = Activation(c)\n"
                "output y = y\n");
}

TEST(FoldSingleTokenAttentionTest, LeavesSeveralTokens) {
  // One frame, but several locations; one location, but several frames: only the attended axis counts.
  ExpectUntouched("fold_single_token_attention",
                  "x = Input {shape=(1,1,3,1,4)}\ny = Attention(x, x, x)\noutput y = y\n");
  ExpectUntouched("fold_single_token_attention",
                  "x = Input {shape=(1,2,1,1,4)}\ny = Attention(x, x, x) {axis=temporal}\noutput y = y\n");
}

TEST(HoistExpandTest, AVectorAClip) {
  ExpectRewrite("hoist_expand",
                "x = Input {shape=(2,3,5,5,8)}\n"
                "c = Input {shape=(2,1,1,1,4), phase=clip}\n"
                "w = Weight : (8,4)\n"
                "b = Weight : (8)\n"
                "frames = Expand(c) {shape=(2,3,1,1,4)}\n"
                "v = Linear(frames, w, b)\n"
                "all = Expand(v) {shape=(2,3,5,5,8)}\n"
                "act = Activation(all)\n"
                "y = Add(x, act)\n"
                "output y = y\n",
                "x = Input {shape=(2,3,5,5,8)}\n"
                "c = Input {shape=(2,1,1,1,4), phase=clip}\n"
                "w = Weight : (8,4)\n"
                "b = Weight : (8)\n"
                "v = Linear(c, w, b)\n"
                "act = Activation(v)\n"
                "y = Add(x, act)\n"
                "output y = y\n");
}

TEST(HoistExpandTest, CopiesAreMadeWhereTheyAreStillNeeded) {
  ExpectRewrite("hoist_expand",
                "c = Input {shape=(1,1,1,1,4)}\n"
                "gamma = Weight : (4)\n"
                "e = Expand(c) {shape=(1,2,3,3,4)}\n"
                "norm = LayerNorm(e, gamma, gamma)\n"
                "y = GroupNorm(norm, gamma, gamma) {groups=2}\n"
                "output y = y\n"
                "output norm = norm\n",
                "c = Input {shape=(1,1,1,1,4)}\n"
                "gamma = Weight : (4)\n"
                "norm = LayerNorm(c, gamma, gamma)\n"
                "norm.expand = Expand(norm) {shape=(1,2,3,3,4)}\n"
                "y = GroupNorm(norm.expand, gamma, gamma) {groups=2}\n"
                "output y = y\n"
                "output norm = norm.expand\n");
}

TEST(HoistExpandTest, SumOfTwoAndNoCopies) {
  ExpectRewrite("hoist_expand",
                "a = Input {shape=(1,1,1,1,4)}\n"
                "b = Input {shape=(1,2,1,1,4)}\n"
                "ea = Expand(a) {shape=(1,2,3,3,4)}\n"
                "eb = Expand(b) {shape=(1,2,3,3,4)}\n"
                "same = Expand(b) {shape=(1,2,1,1,4)}\n"
                "sum = Add(ea, eb)\n"
                "output sum = sum\n"
                "output same = same\n",
                "a = Input {shape=(1,1,1,1,4)}\n"
                "b = Input {shape=(1,2,1,1,4)}\n"
                "sum = Add(a, b)\n"
                "sum.expand = Expand(sum) {shape=(1,2,3,3,4)}\n"
                "output sum = sum.expand\n"
                "output same = b\n");
}

TEST(HoistExpandTest, LeavesWhatMixesChannelsOrBatches) {
  // Copies along the channels change what a linear layer sees.
  ExpectUntouched("hoist_expand",
                  "x = Input {shape=(1,1,1,1,1)}\nw = Weight : (3,4)\n"
                  "e = Expand(x) {shape=(1,1,1,1,4)}\ny = Linear(e, w)\noutput y = y\n");
  // A bias for each batch item needs each item.
  ExpectUntouched("hoist_expand",
                  "x = Input {shape=(1,1,1,1,4)}\nb = Input {shape=(2,1,1,1,3)}\nw = Weight : (3,4)\n"
                  "e = Expand(x) {shape=(2,1,1,1,4)}\ny = Linear(e, w, b)\noutput y = y\n");
  // A residual differs from token to token.
  ExpectUntouched("hoist_expand",
                  "x = Input {shape=(1,1,1,1,4)}\nr = Input {shape=(1,1,2,2,4)}\nw = Weight : (4,4)\n"
                  "e = Expand(x) {shape=(1,1,2,2,4)}\ny = Linear(e, w, _, r)\noutput y = y\n");
}

TEST(MergeLinearsTest, KeepsTheOuterEpilogue) {
  ExpectRewrite("merge_linears",
                "x = Input {shape=(1,1,2,2,4)}\n"
                "r = Input {shape=(1,1,2,2,8)}\n"
                "w1 = Weight : (8,4)\nw2 = Weight : (8,8)\nb = Weight : (8)\n"
                "inner = Linear(x, w1)\n"
                "y = Linear(inner, w2, b, r) {act=silu}\n"
                "output y = y\n",
                "x = Input {shape=(1,1,2,2,4)}\n"
                "r = Input {shape=(1,1,2,2,8)}\n"
                "w1 = Weight : (8,4)\nw2 = Weight : (8,8)\nb = Weight : (8)\n"
                "y.weight_product = WeightProduct(w2, w1) : (8,4) @load\n"
                "y = Linear(x, y.weight_product, b, r) {act=silu}\n"
                "output y = y\n");
}

TEST(MergeLinearsTest, ThreeInARow) {
  ExpectRewrite("merge_linears",
                "x = Input {shape=(1,1,2,2,4)}\n"
                "w = Weight : (4,4)\n"
                "a = Linear(x, w)\nb = Linear(a, w)\nc = Linear(b, w)\n"
                "output y = c\n",
                "x = Input {shape=(1,1,2,2,4)}\n"
                "w = Weight : (4,4)\n"
                "b.weight_product = WeightProduct(w, w) @load\n"
                "c.weight_product = WeightProduct(w, b.weight_product) @load\n"
                "c = Linear(x, c.weight_product)\n"
                "output y = c\n");
}

TEST(MergeLinearsTest, LeavesWhatWouldChangeOrCostMore) {
  const std::string head = "x = Input {shape=(1,1,2,2,8)}\nw1 = Weight : (8,8)\nw2 = Weight : (8,8)\n";
  const std::string outer = "y = Linear(inner, w2)\noutput y = y\n";
  ExpectUntouched("merge_linears", head + "b = Weight : (8)\ninner = Linear(x, w1, b)\n" + outer);
  ExpectUntouched("merge_linears", head + "inner = Linear(x, w1) {act=silu}\n" + outer);
  ExpectUntouched("merge_linears", head + "inner = Linear(x, w1, _, x)\n" + outer);
  ExpectUntouched("merge_linears", head + "inner = Linear(x, w1)\n" + outer + "output inner = inner\n");
  // A bottleneck of 3: 8 * 8 > 3 * (8 + 8). With 5 the product saves 80 - 64 = 16 a token, and costs 320.
  const auto bottleneck = [](const std::string& k, const std::string& tokens) {
    return "x = Input {shape=(1,1,1," + tokens + ",8)}\nw1 = Weight : (" + k + ",8)\nw2 = Weight : (8," + k +
           ")\ninner = Linear(x, w1)\ny = Linear(inner, w2)\noutput y = y\n";
  };
  ExpectUntouched("merge_linears", bottleneck("3", "9"));
  ExpectUntouched("merge_linears", bottleneck("4", "9"));  // saves nothing
  Graph saves = Parse(bottleneck("5", "1"));
  EXPECT_TRUE(MergeLinears(saves));
  // One vector of 500 channels saves 250,000 a run; the product costs 500 runs of that.
  ExpectUntouched("merge_linears",
                  "x = Input {shape=(1,1,1,1,500)}\nw = Weight : (500,500)\n"
                  "inner = Linear(x, w)\ny = Linear(inner, w)\noutput y = y\n");
}

TEST(PhasesTest, LoadThenClip) {
  const std::string head =
      "x = Input {shape=(1,2,1,1,4)}\n"
      "c = Input {shape=(1,1,1,1,4), phase=clip}\n"
      "w = Weight : (4,4)\n";
  const auto body = [](const std::string& load, const std::string& clip) {
    return "i = FrameIndices {frames=2}" + load + "\nt = Timestep(i) {dim=4}" + load + "\nf = Linear(t, w)" +
           load + "\nv = Linear(c, w)" + clip + "\nvf = Add(v, f)" + clip +
           "\ny = Add(x, vf)\noutput y = y\n";
  };
  ExpectRewrite("fold_constants", head + body("", ""), head + body(" @load", ""));
  ExpectRewrite("hoist_clip_invariants", head + body(" @load", ""), head + body(" @load", " @clip"));
  // Without the first, the second takes constants too; weights stay what they are.
  ExpectRewrite("hoist_clip_invariants", head + body("", ""), head + body(" @clip", " @clip"));
}

TEST(FuseNormActivationTest, SiluAlone) {
  const std::string head = "x = Input {shape=(1,2,3,3,4)}\ng = Weight : (4)\n";
  ExpectRewrite("fuse_norm_activation",
                head + "n = GroupNorm(x, g, g) {groups=2, axis=temporal}\ny = Activation(n)\noutput y = y\n",
                head + "n = GroupNorm(x, g, g) {groups=2, axis=temporal, act=silu}\noutput y = n\n");
  ExpectUntouched("fuse_norm_activation",
                  head + "n = GroupNorm(x, g, g) {groups=2}\ny = Activation(n) {act=gelu}\noutput y = y\n");
  ExpectUntouched(
      "fuse_norm_activation",
      head + "n = GroupNorm(x, g, g) {groups=2}\na = Activation(n)\ny = Add(a, n)\noutput y = y\n");
  ExpectUntouched(
      "fuse_norm_activation",
      head + "n = GroupNorm(x, g, g) {groups=2}\na = Activation(n)\noutput y = a\noutput n = n\n");
  ExpectUntouched("fuse_norm_activation",
                  head + "n = GroupNorm(x, g, g) {groups=2, act=silu}\na = Activation(n)\noutput y = a\n");
}

TEST(FuseGegluTest, OneUseAndAPlainBias) {
  const std::string head = "x = Input {shape=(2,1,3,3,4)}\nw = Weight : (8,4)\nb = Weight : (8)\n";
  ExpectRewrite("fuse_geglu", head + "p = Linear(x, w, b)\ny = Geglu(p)\noutput y = y\n",
                head + "p = Linear(x, w, b) {act=geglu} : (2,1,3,3,4)\noutput y = p\n");
  ExpectUntouched("fuse_geglu", head + "p = Linear(x, w, b)\ny = Geglu(p)\noutput y = y\noutput p = p\n");
  ExpectUntouched("fuse_geglu", head + "p = Linear(x, w, b) {act=silu}\ny = Geglu(p)\noutput y = y\n");
  ExpectUntouched("fuse_geglu", head +
                                    "v = Input {shape=(2,1,1,1,8)}\n"
                                    "p = Linear(x, w, v)\ny = Geglu(p)\noutput y = y\n");
  ExpectUntouched("fuse_geglu", head +
                                    "r = Input {shape=(2,1,3,3,8)}\n"
                                    "p = Linear(x, w, b, r)\ny = Geglu(p)\noutput y = y\n");
}

TEST(FuseActivationTest, EveryActivationOfALayer) {
  const std::string head = "x = Input {shape=(1,2,3,3,4)}\nw = Weight : (4,4)\nk = Weight : (4,4,3,3)\n";
  for (const std::string act : {"relu", "silu", "gelu", "quick_gelu", "tanh"}) {
    ExpectRewrite("fuse_activation",
                  head + "p = Linear(x, w)\na = Activation(p) {act=" + act + "}\noutput y = a\n",
                  "x = Input {shape=(1,2,3,3,4)}\nw = Weight : (4,4)\np = Linear(x, w) {act=" + act +
                      "}\noutput y = p\n");
  }
  const std::string pad = "top=1, left=1, bottom=1, right=1";
  ExpectRewrite("fuse_activation",
                "x = Input {shape=(1,2,3,3,4)}\nk = Weight : (4,4,3,3)\np = Conv2d(x, k) {" + pad +
                    "}\na = Activation(p) {act=relu}\noutput y = a\n",
                "x = Input {shape=(1,2,3,3,4)}\nk = Weight : (4,4,3,3)\np = Conv2d(x, k) {" + pad +
                    ", act=relu}\noutput y = p\n");
}

TEST(FuseActivationTest, ComesBehindTheResidual) {
  const std::string head = "x = Input {shape=(1,2,3,3,4)}\nw = Weight : (4,4)\np = Linear(x, w, _, x)";
  ExpectRewrite("fuse_activation", head + "\ny = Activation(p) {act=relu}\noutput y = y\n",
                head + " {act=relu}\noutput y = p\n");
}

TEST(FuseActivationTest, LeavesSharedValues) {
  const std::string head = "x = Input {shape=(1,2,3,3,4)}\nw = Weight : (4,4)\n";
  ExpectUntouched("fuse_activation", head + "p = Linear(x, w) {act=relu}\ny = Activation(p)\noutput y = y\n");
  ExpectUntouched("fuse_activation",
                  head + "p = Linear(x, w)\na = Activation(p)\noutput y = a\noutput p = p\n");
}

TEST(FuseVectorBiasTest, TimeEmbedding) {
  const std::string head =
      "x = Input {shape=(2,3,5,5,4)}\n"
      "v = Input {shape=(2,1,1,1,6)}\n"
      "w = Weight : (6,4,3,1,1)\nb = Weight : (6)\n";
  ExpectRewrite("fuse_vector_bias", head + "c = ConvTemporal(x, w, b)\ny = Add(c, v)\noutput y = y\n",
                head + "c.vector_bias = Add(v, b)\nc = ConvTemporal(x, w, c.vector_bias)\noutput y = c\n");
  ExpectRewrite("fuse_vector_bias", head + "c = ConvTemporal(x, w, b, _)\ny = Add(v, c)\noutput y = y\n",
                head + "c.vector_bias = Add(v, b)\nc = ConvTemporal(x, w, c.vector_bias)\noutput y = c\n");
  const std::string bare =
      "x = Input {shape=(2,3,5,5,4)}\nv = Input {shape=(2,1,1,1,4)}\nw = Weight : (4,4)\n";
  ExpectRewrite("fuse_vector_bias", bare + "c = Linear(x, w)\ny = Add(c, v)\noutput y = y\n",
                bare + "c = Linear(x, w, v)\noutput y = c\n");
}

TEST(FuseVectorBiasTest, ThroughAResidualSum) {
  const std::string head =
      "x = Input {shape=(1,2,3,3,4)}\nv = Input {shape=(1,1,1,1,4)}\nw = Weight : (4,4)\n";
  ExpectRewrite("fuse_vector_bias", head + "c = Linear(x, w)\ns = Add(x, c)\ny = Add(s, v)\noutput y = y\n",
                head + "c = Linear(x, w, v)\ns = Add(x, c)\noutput y = s\n");
  ExpectUntouched("fuse_vector_bias",
                  head + "c = Linear(x, w)\ns = Add(x, c)\ny = Add(s, v)\noutput y = y\noutput s = s\n");
}

TEST(FuseVectorBiasTest, LeavesOtherShapesUsesAndActivations) {
  const auto untouched = [](const std::string& vector, const std::string& layer, const std::string& extra) {
    ExpectUntouched("fuse_vector_bias", "x = Input {shape=(2,3,5,5,4)}\nv = Input {shape=" + vector +
                                            "}\nw = Weight : (4,4)\nc = Linear(x, w)" + layer +
                                            "\ny = Add(c, v)\noutput y = y\n" + extra);
  };
  untouched("(1,3,1,1,4)", "", "");                // a vector a frame
  untouched("(2,1,1,1,1)", "", "");                // one number, not one a channel
  untouched("(2,1,1,1,4)", " {act=silu}", "");     // the activation comes first
  untouched("(2,1,1,1,4)", "", "output c = c\n");  // the bare value is needed
  // Nothing is gained where there is one token.
  ExpectUntouched("fuse_vector_bias",
                  "x = Input {shape=(2,1,1,1,4)}\nv = Input {shape=(2,1,1,1,4)}\nw = Weight : (4,4)\n"
                  "c = Linear(x, w)\ny = Add(c, v)\noutput y = y\n");
}

TEST(FuseResidualTest, TheLaterLayerTakesTheSum) {
  const std::string head = "x = Input {shape=(1,2,3,3,4)}\nw = Weight : (4,4)\nb = Weight : (4)\n";
  ExpectRewrite("fuse_residual",
                head + "p = Linear(x, w, b)\nq = Linear(x, w)\ny = Add(q, p)\noutput y = y\n",
                head + "p = Linear(x, w, b)\nq = Linear(x, w, _, p)\noutput y = q\n");
}

TEST(FuseResidualTest, ReordersWhereTheResidualComesLater) {
  const std::string head = "x = Input {shape=(1,2,3,3,4)}\nw = Weight : (4,4)\n";
  ExpectRewrite("fuse_residual",
                head + "p = Linear(x, w)\na = Activation(x)\ny = Add(p, a)\nz = Affine(y)\noutput z = z\n",
                head + "a = Activation(x)\np = Linear(x, w, _, a)\nz = Affine(p)\noutput z = z\n");
}

TEST(FuseResidualTest, InputsKeepTheirOrder) {
  ExpectRewrite("fuse_residual",
                "x = Input {shape=(1,1,3,3,4)}\nw = Weight : (4,4)\np = Linear(x, w)\n"
                "first = Input {shape=(1,1,3,3,4)}\nsecond = Input {shape=(1,1,3,3,4)}\n"
                "y = Add(p, second)\nz = Add(y, first)\noutput z = z\n",
                "x = Input {shape=(1,1,3,3,4)}\nw = Weight : (4,4)\n"
                "first = Input {shape=(1,1,3,3,4)}\nsecond = Input {shape=(1,1,3,3,4)}\n"
                "p = Linear(x, w, _, second)\nz = Add(p, first)\noutput z = z\n");
}

TEST(FuseResidualTest, LeavesBroadcastsSharedValuesAndEarlierPhases) {
  const std::string head =
      "x = Input {shape=(1,2,3,3,4)}\nc = Input {shape=(1,2,3,3,4), phase=clip}\n"
      "f = Input {shape=(1,2,1,1,4)}\nw = Weight : (4,4)\n";
  ExpectUntouched("fuse_residual", head + "p = Linear(x, w)\ny = Add(p, f)\noutput y = y\n");
  ExpectUntouched("fuse_residual", head + "p = Linear(f, w)\ny = Add(p, x)\noutput y = y\n");
  ExpectUntouched("fuse_residual", head + "p = Linear(x, w)\ny = Add(p, p)\noutput y = y\n");
  ExpectUntouched("fuse_residual", head + "p = Linear(x, w)\ny = Add(p, x)\noutput y = y\noutput p = p\n");
  ExpectUntouched("fuse_residual", head + "p = Linear(x, w, _, x)\ny = Add(p, c)\noutput y = y\n");
  // The residual comes before the activation: r + act(x w) is no epilogue.
  ExpectUntouched("fuse_residual", head + "p = Linear(x, w) {act=silu}\ny = Add(p, x)\noutput y = y\n");
  // Fused, the layer would run with every call instead of once a clip.
  ExpectUntouched("fuse_residual", head + "p = Linear(c, w) @clip\ny = Add(p, x)\noutput y = y\n");
}

}  // namespace
}  // namespace mvd
