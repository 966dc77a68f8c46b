// Seconds of a network's calls on random inputs, and what they were measured on.
#pragma once

#include <string>
#include <vector>

#include "mvd/cli/option_spec.h"
#include "mvd/cli/terminal.h"
#include "mvd/engine/network.h"

namespace mvd::cli {

struct RepetitionFlags {
  int warmup = 1, reps = 3;

  void Declare(CLI::App& app);
};

struct MeasuredOn {
  std::string processor, executor, dtype, isa;  // isa: empty where the executor does not choose it
  int threads = 0;
};
MeasuredOn ThisMachine(const NetworkOptions& options);
std::string ProcessorName();

// One tensor for each input of the graph: standard normals, the same with every call.
std::vector<Tensor> RandomInputs(const Graph& graph);

struct Timing {
  double median = 0, min = 0, max = 0;  // seconds
};
// Each repetition is `calls` calls of the loaded network.
Timing TimeCalls(Network& network, std::span<const TensorView> inputs, const RepetitionFlags& repetitions,
                 int64_t calls, StatusLine& status);

}  // namespace mvd::cli
