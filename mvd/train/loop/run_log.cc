#include "mvd/train/loop/run_log.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "mvd/base/atomic_file.h"
#include "mvd/base/paths.h"
#include "mvd/media/image.h"
#include "mvd/train/lr_schedule.h"

namespace mvd {
namespace fs = std::filesystem;

RunLog::RunLog(const TrainTask& task, const TrainHooks& hooks, int64_t step)
    : task_(task),
      hooks_(hooks),
      folder_(task.common.run.out),
      log_(folder_, {step, task.common.output.tensorboard, task.common.output.log_steps}) {}

void RunLog::Tell(int64_t step, const std::string& line) const {
  if (hooks_.note) hooks_.note("step " + std::to_string(step) + ": " + line);
}

void RunLog::Evaluate(const RunState& state, bool first) {
  const c10::NoGradGuard guard;
  const OutputSection& out = task_.common.output;
  const bool last = state.step == task_.common.run.steps;
  const auto due = [&](int64_t every) { return every > 0 && (last || state.step % every == 0); };
  const Parameters& weights = state.average.empty() ? task_.trained : state.average;
  if (out.heldout_clips > 0 && out.heldout_steps > 0 && (first || due(out.heldout_steps)))
    HeldOut(state, weights);
  if (task_.samples && out.samples_count > 0 && !first && due(out.samples_steps)) Samples(state, weights);
}

void RunLog::HeldOut(const RunState& state, const Parameters& weights) {
  heldout_ = task_.held_out(weights).value.item<double>();
  Tell(state.step, "held-out loss " + std::to_string(*heldout_));
}

void RunLog::Samples(const RunState& state, const Parameters& weights) {
  MakeFolders(folder_ / "samples");
  const SampleReport report = task_.samples(weights, state.step, folder_ / "samples");
  const std::string sheet = ReadFile(report.sheet, size_t{1} << 30);
  const ImageSize size = PngSize(sheet);
  log_.WriteImage(state.step, "samples", size.height, size.width, sheet);
  if (!report.has_motion) return;
  samples_ = report;
  Tell(state.step,
       HealthText(state.health, report.motion, report.data_motion, report.copy_ratio, report.variety));
}

void RunLog::Write(const StepReport& report, const RunState& state, double seconds, int64_t skipped_clips,
                   int64_t clips) {
  const CommonConfig& c = task_.common;
  seconds_ = seconds_ > 0 ? 0.95 * seconds_ + 0.05 * seconds : seconds;
  const double lr = LearningRate(c.optimiser, c.schedule, state.step - 1, c.run.steps);
  StepMetrics metrics{.step = state.step, .samples = state.samples, .values = {}, .sigma = report.sigma};
  metrics.values = {{"loss", report.loss},
                    {"lr", lr},
                    {"grad_norm", report.grad_norm},
                    {"step_seconds", seconds},
                    {"data_seconds", report.data_seconds},
                    {"skipped_steps", double(state.health.skipped_steps)},
                    {"skipped_clips", double(skipped_clips)}};
  for (const auto& [name, value] : report.parts) metrics.values["loss_" + name] = value;
  metrics.values.insert(report.state.begin(), report.state.end());
  // Once, however its figures change while it lasts.
  if (!warned_ && !report.warning.empty()) Tell(state.step, "WARNING: " + report.warning);
  warned_ = !report.warning.empty();
  if (heldout_) metrics.values["heldout_loss"] = *heldout_;
  if (samples_) {
    metrics.values["sample_motion"] = samples_->motion;
    metrics.values["data_motion"] = samples_->data_motion;
    metrics.values["first_frame_copy"] = samples_->copy_ratio;
    metrics.values["sample_variety"] = samples_->variety;
  }
  heldout_.reset(), samples_.reset();
  log_.Write(metrics);
  if (hooks_.status)
    hooks_.status(StatusText(state.step, c.run.steps, report.loss, lr, seconds_, double(clips)));
}

}  // namespace mvd
