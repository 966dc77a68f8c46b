// What a run tells on its way: a line a step, held-out losses, samples. Rank 0 has one.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "mvd/train/loop/state.h"
#include "mvd/train/loop/task.h"
#include "mvd/train/train.h"

namespace mvd {

// One optimiser step's figures, means over all processes.
struct StepReport {
  double loss = 0, grad_norm = 0, data_seconds = 0;
  bool taken = false, cancelled = false;
  SigmaBins sigma;
  std::map<std::string, double> parts, state;
  std::string warning;
};

class RunLog {
 public:
  // Opens RUN/metrics.jsonl and its like; lines after `step` are cut off. All arguments outlive it.
  RunLog(const TrainTask& task, const TrainHooks& hooks, int64_t step);

  // Held-out loss and samples, where they fall due after this step (or, with `first`, before any).
  void Evaluate(const RunState& state, bool first);
  // The step's line, with what Evaluate found since the last one. `clips`: of a step, in all processes.
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
