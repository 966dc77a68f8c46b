#include "mvd/train/loop/loop.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "mvd/base/atomic_file.h"
#include "mvd/base/paths.h"
#include "mvd/base/stopwatch.h"
#include "mvd/train/loop/adamw.h"
#include "mvd/train/loop/checkpoint_before_end.h"
#include "mvd/train/loop/data.h"
#include "mvd/train/loop/reducer.h"
#include "mvd/train/loop/run_log.h"
#include "mvd/train/loop/state.h"
#include "mvd/train/lr_schedule.h"

namespace mvd {
namespace fs = std::filesystem;
namespace {

constexpr int64_t kBatchesAhead = 2;   // batches that workers keep ready
constexpr int64_t kMostBadSteps = 10;  // bad steps in a row that end the run

[[noreturn]] void RefuseExport(const fs::path& folder) {
  ThrowUsage(folder.string(), " holds no checkpoint that --export could take");
}

class Run {
 public:
  Run(TrainTask& task, Communicator& group, RunMode mode, const TrainHooks& hooks)
      : task_(task),
        group_(group),
        hooks_(hooks),
        folder_(task.common.run.out),
        source_(MakeClipSource(task.common.data, task.seed, group.rank(), group.world(),
                               kBatchesAhead * task.common.run.batch, hooks.note)),
        reducer_(task.trained, task.backward_order, group) {
    Start(mode);
  }

  TrainResult ExportOnly() { return {state_.step, false, Export()}; }

  TrainResult Loop() {
    const RunSection& run = task_.common.run;
    const CheckpointBeforeEnd checkpoint_first;
    if (state_.step == 0 && log_) log_->Evaluate(state_, /*first=*/true);
    while (state_.step < run.steps) {
      const Stopwatch watch;
      const StepReport report = Step();
      const double seconds = watch.Seconds();
      if (!report.cancelled && log_) log_->Evaluate(state_, /*first=*/false);
      if (log_) log_->Write(report, state_, seconds, source_->Skipped(), GlobalBatch());
      if (report.cancelled) {
        Save();
        Tell("stopped at step " + std::to_string(state_.step) + " of " + std::to_string(run.steps) +
             "; continue with --resume");
        return {state_.step, true, {}};
      }
      if (state_.step < run.steps && SaveIsDue()) Save();
    }
    Save();
    return {state_.step, false, Export()};
  }

 private:
  bool rank0() const { return group_.rank() == 0; }
  int64_t GlobalBatch() const {
    return task_.common.run.batch * task_.common.run.accumulation * group_.world();
  }
  void Tell(const std::string& line) const {
    if (hooks_.note && rank0()) hooks_.note(line);
  }

  // Rank 0 alone sees the run's folder, which may be on a disk of its machine; what it finds there is sent.
  void Start(RunMode mode) {
    state_ = MakeState(task_);
    group_.OnRank0([&] {
      OpenFolder(mode);
      return "";
    });
    ShareState(task_, state_, group_);
    if (!state_.positions.empty()) source_->Seek(state_.positions[size_t(group_.rank())]);
    if (task_.decide) task_.decide(task_.trained, state_.step);
  }

  void OpenFolder(RunMode mode) {
    // Nothing is made where a name was mistyped.
    if (mode == RunMode::kExport && !PathExists(folder_)) RefuseExport(folder_);
    MakeFolders(folder_);
    const OutputSection& out = task_.common.output;
    store_.emplace(folder_, CheckpointPolicy{out.checkpoint_keep, out.checkpoint_keep_every}, hooks_.note);
    if (mode == RunMode::kNew && store_->Newest())
      ThrowUsage(folder_.string(), " holds a run's checkpoints; --resume continues it");
    // Without checkpoints it is no export of this run, and the export would take its place.
    if (mode == RunMode::kNew && PathExists(folder_ / "model"))
      ThrowUsage((folder_ / "model").string(), " is there already; choose another run.out or move it away");
    if (mode != RunMode::kNew) Restore(mode);
    if (mode == RunMode::kExport) return;
    WriteFile(folder_ / "config.toml", task_.config_toml);
    log_.emplace(task_, hooks_, state_.step);
  }

  void Restore(RunMode mode) {
    const std::optional<Checkpoint> found = store_->LoadNewest();
    if (!found && mode == RunMode::kExport) RefuseExport(folder_);
    if (!found) return;
    state_ = RestoreState(task_, *found, group_.world(), hooks_.note);
    Tell((mode == RunMode::kExport ? "checkpoint of step " : "continuing at step ") +
         std::to_string(state_.step));
    // Damaged ones that were passed over: this run makes its own.
    if (mode == RunMode::kResume) store_->DropAfter(state_.step);
  }

  std::vector<TrainingItem> NextItems() {
    std::vector<TrainingItem> items;
    for (int64_t i = 0; i < task_.common.run.batch; ++i) {
      // The k-th clip of rank r of W is sample k W + r: the same numbers for the same clip with any W.
      const uint64_t sample = drawn_++ * uint64_t(group_.world()) + uint64_t(group_.rank());
      items.push_back({source_->Next(), sample});
    }
    return items;
  }

  StepReport Step() {
    StepReport report;
    const int64_t parts = task_.common.run.accumulation;
    drawn_ = uint64_t(state_.samples / group_.world());
    ClearGradients(task_.trained);
    std::vector<TrainingItem> items, suspects;  // the first whose loss is not finite, else the last
    for (int64_t i = 0; i < parts; ++i) {
      const Stopwatch data;
      items = NextItems();
      report.data_seconds += data.Seconds();
      const TrainLoss loss = task_.loss(task_.trained, items, {state_.step, false});
      if (i + 1 == parts) reducer_.Begin();
      if (!loss.backward_done) (loss.value / double(parts)).backward();
      if (std::isfinite(report.loss)) suspects = std::move(items);
      report.loss += loss.value.item<double>() / double(parts);
      report.sigma.Add(loss.sigma);
      for (const auto& [name, value] : loss.parts) report.parts[name] += value / double(parts);
      report.state = loss.state, report.warning = loss.warning;
    }
    reducer_.Finish();
    report.cancelled = hooks_.cancel && hooks_.cancel->cancelled();
    Average(report);
    ClipEachGroup(report);
    Update(report, suspects);
    return report;
  }

  // Averages over all processes. If one is cancelled, all are.
  void Average(StepReport& report) {
    if (group_.world() == 1) return;
    std::vector<double> values = {report.loss, report.cancelled ? 1.0 : 0.0};
    for (const auto& [name, value] : report.parts) values.push_back(value);
    values.insert(values.end(), report.sigma.values().begin(), report.sigma.values().end());
    at::Tensor sums = at::tensor(values, at::TensorOptions(at::kDouble)).to(task_.device);
    group_.Sum(sums);
    sums = sums.to(at::kCPU);
    const double* sum = sums.data_ptr<double>();
    report.loss = *sum++ / group_.world();
    report.cancelled = *sum++ > 0;
    for (auto& [name, value] : report.parts) value = *sum++ / group_.world();
    std::copy_n(sum, report.sigma.values().size(), report.sigma.values().begin());
  }

  void ClipEachGroup(StepReport& report) {
    const double most = task_.common.optimiser.clip_norm;
    if (task_.groups.empty()) report.grad_norm = ClipGradients(task_.trained, most);
    double squares = 0;
    for (const ParameterGroup& group : task_.groups) {
      const double norm = ClipGradients(MembersOf(group, task_.trained), most);
      report.state["grad_norm_" + group.name] = norm;
      report.grad_norm = std::sqrt(squares += norm * norm);
    }
  }

  void Update(StepReport& report, const std::vector<TrainingItem>& suspects) {
    const CommonConfig& c = task_.common;
    report.taken = state_.health.Judge(report.loss, report.grad_norm);
    const std::set<std::string> idle = task_.idle ? task_.idle(group_, state_.step) : std::set<std::string>();
    if (report.taken) {
      const OptimiserSection& o = c.optimiser;
      UpdateAdamW(task_.trained, LearningRate(o, c.schedule, state_.step, c.run.steps),
                  {o.beta1, o.beta2, o.eps, o.weight_decay}, state_.adam, task_.groups, idle);
      if (!state_.average.empty())
        UpdateAverage(task_.trained, EmaDecay(c.ema, state_.samples, GlobalBatch()), state_.average);
    } else {
      Blame(suspects);
    }
    ++state_.step;
    state_.samples += GlobalBatch();
    if (task_.decide) task_.decide(task_.trained, state_.step);
  }

  // Runs the suspected clips of every process again and checks every node's value. A bad step is skipped;
  // kMostBadSteps in a row end the run.
  void Blame(const std::vector<TrainingItem>& suspects) {
    std::string why;
    try {
      const c10::NoGradGuard guard;
      task_.loss(task_.trained, suspects, {state_.step, true});
    } catch (const Error& error) {
      why = error.what();
    }
    std::vector<std::string> reasons = group_.Gather(why);
    reasons.push_back("no node of the forward pass; " + BadGradient());
    why = *std::find_if(reasons.begin(), reasons.end(), [](const std::string& r) { return !r.empty(); });
    const std::string line = "step " + std::to_string(state_.step + 1) + " skipped: not finite: " + why;
    Tell(line);
    if (task_.common.output.nan_guard || state_.health.bad_in_a_row >= kMostBadSteps)
      throw Error(Exit::kCheckFailed, "", line);
  }

  // The first in the order of the backward pass.
  std::string BadGradient() const {
    for (const std::string& name : task_.backward_order) {
      if (!task_.trained.at(name).grad().isfinite().all().item<bool>())
        return "the first gradient is that of '" + name + "'";
    }
    return "the norm of the gradients";
  }

  bool Due(int64_t every) const { return every > 0 && state_.step % every == 0; }

  bool SaveIsDue() {
    const OutputSection& out = task_.common.output;
    // Rank 0's clock decides, since all must agree.
    const bool timed = out.checkpoint_minutes > 0 && since_save_.Seconds() > 60 * out.checkpoint_minutes;
    return Agree(timed) || Due(out.checkpoint_steps);
  }

  bool Agree(bool mine) {
    if (group_.world() == 1 || task_.common.output.checkpoint_minutes <= 0) return mine;
    at::Tensor flag = at::full({1}, mine && rank0() ? 1.0 : 0.0, at::TensorOptions(task_.device));
    group_.Sum(flag);
    return flag.item<double>() > 0;
  }

  void Save() {
    state_.positions = group_.Gather(source_->Position());
    group_.OnRank0([&] { return SaveState(task_, state_, *store_).string(); });
    since_save_ = Stopwatch();
  }

  fs::path Export() {
    const fs::path model = folder_ / "model";
    group_.OnRank0([&] {
      task_.export_model(state_.average.empty() ? task_.trained : state_.average, model,
                         RecipeMetadata(task_, state_));
      return "";
    });
    return rank0() ? model : fs::path();
  }

  TrainTask& task_;
  Communicator& group_;
  const TrainHooks& hooks_;
  fs::path folder_;
  std::optional<CheckpointStore> store_;  // rank 0
  std::unique_ptr<ClipSource> source_;
  GradientReducer reducer_;
  RunState state_;
  std::optional<RunLog> log_;  // rank 0
  uint64_t drawn_ = 0;         // clips of this rank so far
  Stopwatch since_save_;
};

}  // namespace

TrainResult RunTraining(TrainTask& task, Communicator& group, RunMode mode, const TrainHooks& hooks) {
  Run run(task, group, mode, hooks);
  return mode == RunMode::kExport ? run.ExportOnly() : run.Loop();
}

}  // namespace mvd
