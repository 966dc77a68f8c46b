// Small cases of every op, for whatever must agree on what an op means. A graph with odd sizes, and seeded
// values for all its inputs and weights; the op under test is the node named "y".
#pragma once

#include <map>
#include <string>
#include <vector>

#include "mvd/base/weight_source.h"
#include "mvd/ir/graph.h"

namespace mvd {

struct OpCase {
  std::string name;  // unique: "Conv2d/stride2"
  Graph graph;
  std::map<std::string, std::vector<float>> values;  // of inputs and weights; those not named are random
  std::vector<float> expected;                       // the first output, worked out by hand; or empty
  bool f32_only = false;                             // rounding the input to bf16 would lose the result

  Op op() const { return graph.node(graph.Find("y")).op; }
};

// Random values; no expectation but another executor's result.
std::vector<OpCase> RandomCases();
// Values chosen so that the result is known without any executor.
std::vector<OpCase> ClosedFormCases();

// Inputs in the order of graph.All(Op::kInput): N(0,1). Weights of rank 2 and more: N(0,1) / sqrt(fan in), as
// trained layers keep their input's scale; vectors: 1 + N(0,1) / 5, so that neither gamma nor beta can hide.
std::vector<Tensor> CaseInputs(const OpCase& c);
MapWeights CaseWeights(const OpCase& c);

}  // namespace mvd
