#include "mvd/cli/timing.h"

#include <algorithm>
#include <fstream>

#include "mvd/base/rng.h"
#include "mvd/base/stopwatch.h"
#include "mvd/cpu/isa.h"

namespace mvd::cli {

void RepetitionFlags::Declare(CLI::App& app) {
  AddOption(app, {.flags = "--warmup", .help = "Calls before timing", .value = "N", .least = 0, .most = 1000},
            warmup);
  AddOption(app, {.flags = "--reps", .help = "Timed calls", .value = "N", .least = 1, .most = 100000}, reps);
}

std::string ProcessorName() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  }
  return "unknown";
}

MeasuredOn ThisMachine(const NetworkOptions& options) {
  return {.processor = ProcessorName(),
          .executor = options.executor,
          .dtype = std::string(Name(options.exec.dtype)),
          // Only the cpu executor chooses its instructions.
          .isa = options.executor == "cpu" ? std::string(FindIsa(options.exec.isa).name) : "",
          .threads = options.exec.threads.count};
}

std::vector<Tensor> RandomInputs(const Graph& graph) {
  std::vector<Tensor> inputs;
  for (ValueId id : graph.All(Op::kInput)) {
    Tensor tensor(graph.shape(id));
    PhiloxNormal(1, uint64_t(id), 0, tensor.f32());
    inputs.push_back(std::move(tensor));
  }
  return inputs;
}

Timing TimeCalls(Network& network, std::span<const TensorView> inputs, const RepetitionFlags& repetitions,
                 int64_t calls, StatusLine& status) {
  std::vector<double> seconds;
  const int total = repetitions.warmup + repetitions.reps;
  for (int i = 0; i < total; ++i) {
    const Stopwatch watch;
    for (int64_t call = 0; call < calls; ++call) {
      network.Run(inputs);
      status.Update("bench", (i + double(call + 1) / double(calls)) / total);
    }
    if (i >= repetitions.warmup) seconds.push_back(watch.Seconds());
  }
  status.Clear();
  std::sort(seconds.begin(), seconds.end());
  const size_t n = seconds.size();
  return {(seconds[(n - 1) / 2] + seconds[n / 2]) / 2, seconds.front(), seconds.back()};
}

}  // namespace mvd::cli
