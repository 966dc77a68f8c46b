#include "mvd/ir/graph.h"

#include <gtest/gtest.h>

#include "mvd/base/error.h"
#include "mvd/ir/builder.h"
#include "mvd/ir/text.h"

namespace mvd {
namespace {

// A little of everything: nesting, an absent bias, a shared weight, phases.
Graph Sample() {
  Builder b("sample");
  const ValueId x = b.Input("x", {1, 3, 5, 7, 8}, Phase::kStep);
  ValueId h;
  {
    Scope block(b, "block.0");
    h = b.Conv2d(x, "conv", 64, {.stride = 2});
    h = b.GroupNorm(h, "norm", 32, 1e-5, Axis::kTemporal);
    h = b.Activation(h, Act::kSilu);
    h = b.Activation(h, Act::kSilu);
    h = b.Add(h, b.Linear(h, "proj", 64, false));
  }
  b.Output("y", b.Blend(h, b.ConvTemporal(h, "time", 64), "mix_factor", true));
  return b.Finish();
}

TEST(BuilderTest, NamesFallOutOfTheNesting) {
  const Graph graph = Sample();
  EXPECT_NE(graph.Find("block.0.conv.weight"), kNoValue);
  EXPECT_NE(graph.Find("block.0.silu#2"), kNoValue);
  EXPECT_NE(graph.Find("mix_factor"), kNoValue);
  EXPECT_EQ(graph.shape(graph.Find("block.0.conv")), Shape({1, 3, 3, 4, 64}));
}

TEST(TextTest, PrintsAndParses) {
  const std::string text = Print(Sample());
  EXPECT_EQ(Print(Parse(text)), text);
  EXPECT_NE(text.find("block.0.norm = GroupNorm(block.0.conv, block.0.norm.weight, block.0.norm.bias) "
                      "{eps=1e-05, axis=temporal} : (1,3,3,4,64)"),
            std::string::npos)
      << text;
}

TEST(TextTest, ErrorsNameTheLine) {
  const auto message = [](const std::string& text) -> std::string {
    try {
      Parse(text);
    } catch (const Error& error) {
      EXPECT_EQ(error.exit(), Exit::kBadInput);
      return error.what();
    }
    return "no error";
  };
  const std::string input = "x = Input {shape=(1,1,2,2,4)}\n";
  EXPECT_NE(message(input + "y = Foo(x)").find("line 2: unknown op 'Foo'"), std::string::npos);
  EXPECT_NE(message(input + "y = Add(x, z)").find("'z' is not defined"), std::string::npos);
  EXPECT_NE(message(input + "y = Add(x)").find("too few inputs"), std::string::npos);
  EXPECT_NE(message(input + "y = Affine(x) {size=2}").find("no attribute 'size'"), std::string::npos);
  EXPECT_NE(message(input + "y = Affine(x) : (1,1,2,2,5)").find("inferred (1,1,2,2,4)"), std::string::npos);
  EXPECT_NE(message(input).find("no output"), std::string::npos);
}

TEST(VerifyTest, FindsWhatIsWrong) {
  Graph graph = Sample();
  graph.nodes.back().shape[4] = 5;
  EXPECT_THROW(Verify(graph), InternalError);
  graph = Sample();
  graph.nodes[1].name = graph.nodes[0].name;
  EXPECT_THROW(Verify(graph), InternalError);
  graph = Sample();
  graph.nodes.back().inputs[0] = ValueId(graph.nodes.size());
  EXPECT_THROW(Verify(graph), InternalError);
  graph = Sample();
  graph.nodes.back().phase = Phase::kLoad;  // earlier than its inputs
  EXPECT_THROW(Verify(graph), InternalError);
}

TEST(ShapeTest, OddSizesAndOneSidedPadding) {
  Builder b("odd");
  const ValueId x = b.Input("x", {2, 1, 9, 7, 4}, Phase::kStep);
  EXPECT_EQ(b.shape(b.Conv2d(x, "a", 8, {.stride = 2, .pad_end_only = true})), Shape({2, 1, 4, 3, 8}));
  EXPECT_EQ(b.shape(b.Conv2d(x, "b", 8, {.stride = 2})), Shape({2, 1, 5, 4, 8}));
  EXPECT_EQ(b.shape(b.Timestep(b.Input("ids", {2, 1, 1, 1, 3}, Phase::kClip), 256)),
            Shape({2, 1, 1, 1, 768}));
  EXPECT_THROW(b.Concat({x, b.Input("z", {2, 1, 9, 8, 4}, Phase::kStep)}, 4), InternalError);
}

}  // namespace
}  // namespace mvd
