// What a run reports: JSON lines, TensorBoard event files where wanted, and a status line.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "mvd/train/event_file.h"

namespace mvd {

// Mean loss by noise level, in bins of ln(sigma), so that progress is not confused with a step's luck in
// drawing sigma.
class SigmaBins {
 public:
  static constexpr int kBins = 8;
  // Bin edges in sigma: below 0.05, 0.2, 0.5, 1, 2, 5, 20, and above.
  static constexpr std::array<double, kBins - 1> kEdges = {0.05, 0.2, 0.5, 1, 2, 5, 20};
  static int BinOf(double sigma);
  static std::string NameOf(int bin);  // "sigma<0.05", "0.05-0.2", ..., "sigma>=20"

  void Add(double sigma, double loss);
  void Add(const SigmaBins& other);
  int64_t Count(int bin) const { return int64_t(values_[size_t(kBins + bin)]); }
  double Mean(int bin) const;     // NaN where empty
  nlohmann::json ToJson() const;  // {"0.5-1": 0.12, ...}: bins that have samples
  // Sums of losses, then counts, by bin: what processes add up.
  std::array<double, 2 * kBins>& values() { return values_; }

 private:
  std::array<double, 2 * kBins> values_{};
};

// One step's line. Values that are not finite are written as null in JSON and counted in `not_finite`.
struct StepMetrics {
  int64_t step = 0;                      // 1 after the first optimiser step
  int64_t samples = 0;                   // clips seen, of all processes
  std::map<std::string, double> values;  // "loss", "lr", "grad_norm", "step_seconds", "heldout_loss", ...
  SigmaBins sigma;
};

struct MetricsOptions {
  int64_t resume_step = 0;  // lines and events after this step are cut off; 0: a new run, all are
  bool tensorboard = true;
  int64_t tensorboard_every = 1;
};

// RUN/metrics.jsonl and RUN/tensorboard/. Only rank 0 opens one.
class MetricsLog {
 public:
  // Cuts off what a killed run wrote after the checkpoint, including half a line. Throws Error(kBadInput)
  // naming the file where it cannot be written.
  MetricsLog(const std::filesystem::path& run, const MetricsOptions& options);
  ~MetricsLog();
  MetricsLog(const MetricsLog&) = delete;
  MetricsLog& operator=(const MetricsLog&) = delete;

  // Appends one line, flushed to the system before it returns. Steps rise. Throws Error(kBadInput) on a full
  // disk.
  void Write(const StepMetrics& metrics);
  // A picture for TensorBoard alone, as PNG bytes.
  void WriteImage(int64_t step, const std::string& tag, int64_t height, int64_t width, std::string_view png);

 private:
  std::filesystem::path path_;
  MetricsOptions options_;
  int descriptor_ = -1;
  int64_t last_step_;
  std::unique_ptr<EventFile> events_;
};

// Removes lines of `metrics.jsonl` whose step is above `step`, and a last line without its end. Whole or not
// at all. Returns how many were removed.
int64_t CutMetrics(const std::filesystem::path& file, int64_t step);

// "step 1200/10000  loss 0.1234  lr 1.0e-05  0.52 s/step  1.9 clips/s  ETA 1:16:12". `seconds_per_step` is
// the caller's smoothed value.
std::string StatusText(int64_t step, int64_t steps, double loss, double lr, double seconds_per_step,
                       double clips_per_step);
std::string FormatDuration(double seconds);  // "4 s", "3:07", "1:16:12", "2 d 03:00"; "?" if not finite

}  // namespace mvd
