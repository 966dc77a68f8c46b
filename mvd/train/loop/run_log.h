// What a run reports while it trains: a line per step, held-out losses, samples. Only rank 0 has one.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "mvd/train/loop/state.h"
#include "mvd/train/loop/task.h"
#include "mvd/train/train.h"

namespace mvd {

// The figures of one optimiser step, as means over all processes.
struct StepReport {
  double loss = 0, grad_norm = 0, data_seconds = 0;
  bool taken = false, cancelled = false;
  SigmaBins sigma;
  std::map<std::string, double> parts, state;
  std::string warning;
};

class RunLog {
 public:
  // Opens RUN/metrics.jsonl and the event file; cuts off lines after `step`. All arguments must outlive it.
  RunLog(const TrainTask& task, const TrainHooks& hooks, int64_t step);

  // Held-out loss and samples, where they are due after this step (or, with `first`, before the first one).
  void Evaluate(const RunState& state, bool first);
  // Writes the step's line, with what Evaluate found since the last one. `clips` per step, of all processes.
  void Write(const StepReport& report, const RunState& state, double seconds, int64_t skipped_clips,
             int64_t clips);

 private:
  void Tell(int64_t step, const std::string& line) const;
  void HeldOut(const RunState& state, const Parameters& weights);
  void Samples(const RunState& state, const Parameters& weights);

  const TrainTask& task_;
  const TrainHooks& hooks_;
  std::filesystem::path folder_;
  MetricsLog log_;
  bool warned_ = false;            // the last step had a warning
  double seconds_ = 0;             // a step, smoothed
  std::optional<double> heldout_;  // since the last line
  std::optional<SampleReport> samples_;
};

}  // namespace mvd
