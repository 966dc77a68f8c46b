#include "mvd/train/metrics_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>

#include "mvd/base/atomic_file.h"
#include "mvd/base/error.h"
#include "mvd/base/file_error.h"
#include "mvd/base/paths.h"
#include "mvd/io/json.h"

namespace mvd {
namespace {

using nlohmann::json;

constexpr size_t kMaxLogBytes = size_t{4} << 30;

std::string ShortNumber(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%g", value);
  return text;
}

// The step of one line, or nothing where the line is not whole: a killed run's last write.
std::optional<int64_t> StepOf(const std::string& line) {
  const json object = json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object() || !object.contains("step") || !object["step"].is_number_integer()) return {};
  return object["step"].get<int64_t>();
}

}  // namespace

int SigmaBins::BinOf(double sigma) {
  return int(std::upper_bound(kEdges.begin(), kEdges.end(), sigma) - kEdges.begin());
}

std::string SigmaBins::NameOf(int bin) {
  if (bin == 0) return "sigma<" + ShortNumber(kEdges.front());
  if (bin == kBins - 1) return "sigma>=" + ShortNumber(kEdges.back());
  return ShortNumber(kEdges[size_t(bin) - 1]) + "-" + ShortNumber(kEdges[size_t(bin)]);
}

void SigmaBins::Add(double sigma, double loss) {
  const size_t bin = size_t(BinOf(sigma));
  values_[bin] += loss, values_[kBins + bin] += 1;
}

void SigmaBins::Add(const SigmaBins& other) {
  for (size_t i = 0; i < values_.size(); ++i) values_[i] += other.values_[i];
}

double SigmaBins::Mean(int bin) const { return values_[size_t(bin)] / values_[size_t(kBins + bin)]; }

json SigmaBins::ToJson() const {
  json object = json::object();
  for (int bin = 0; bin < kBins; ++bin) {
    if (Count(bin)) object[NameOf(bin)] = Mean(bin);
  }
  return object;
}

int64_t CutMetrics(const std::filesystem::path& file, int64_t step) {
  if (!PathExists(file)) return 0;
  const std::string text = ReadFile(file, kMaxLogBytes);
  std::string kept;
  int64_t removed = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t end = text.find('\n', at);
    const bool whole = end != text.npos;
    const std::string line = text.substr(at, whole ? end - at : text.npos);
    const std::optional<int64_t> found = whole ? StepOf(line) : std::nullopt;
    if (found && *found <= step) {
      kept += line + '\n';
    } else {
      ++removed;
    }
    at = whole ? end + 1 : text.size();
  }
  if (removed) WriteFile(file, kept);
  return removed;
}

MetricsLog::MetricsLog(const std::filesystem::path& run, const MetricsOptions& options)
    : path_(run / "metrics.jsonl"), options_(options), last_step_(options.resume_step) {
  MakeFolders(run);
  CutMetrics(path_, options.resume_step);
  descriptor_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (descriptor_ < 0) ThrowUnwritable(path_.string(), errno);
  if (options.tensorboard) events_ = std::make_unique<EventFile>(run / "tensorboard", options.resume_step);
}

MetricsLog::~MetricsLog() { ::close(descriptor_); }

void MetricsLog::Write(const StepMetrics& metrics) {
  MVD_CHECK(metrics.step > last_step_, "step ", metrics.step, " after ", last_step_);
  json line = {{"step", metrics.step}, {"samples", metrics.samples}};
  int64_t not_finite = 0;
  for (const auto& [name, value] : metrics.values) {
    const bool finite = std::isfinite(value);
    line[name] = finite ? json(value) : json(nullptr);
    not_finite += !finite;
  }
  if (not_finite) line["not_finite"] = not_finite;
  const json bins = metrics.sigma.ToJson();
  if (!bins.empty()) line["loss_by_sigma"] = bins;
  const std::string text = line.dump(-1, ' ', false, json::error_handler_t::replace) + '\n';
  // One write: a line is whole, or it is the file's last and cut at the next start.
  const ssize_t wrote = ::write(descriptor_, text.data(), text.size());
  if (wrote != ssize_t(text.size())) ThrowUnwritable(path_.string(), wrote < 0 ? errno : ENOSPC);
  last_step_ = metrics.step;
  if (!events_ || metrics.step % options_.tensorboard_every) return;
  std::map<std::string, double> scalars = metrics.values;
  for (int bin = 0; bin < SigmaBins::kBins; ++bin) {
    if (metrics.sigma.Count(bin))
      scalars["loss_by_sigma/" + SigmaBins::NameOf(bin)] = metrics.sigma.Mean(bin);
  }
  events_->Scalars(metrics.step, scalars);
}

void MetricsLog::WriteImage(int64_t step, const std::string& tag, int64_t height, int64_t width,
                            std::string_view png) {
  if (events_) events_->Image(step, tag, height, width, png);
}

std::string FormatDuration(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0 || seconds > 1e11) return "?";
  const int64_t s = std::llround(seconds);
  char text[64];
  if (s < 60) {
    std::snprintf(text, sizeof(text), "%d s", int(s));
  } else if (s < 3600) {
    std::snprintf(text, sizeof(text), "%d:%02d", int(s / 60), int(s % 60));
  } else if (s < 2 * 86400) {
    std::snprintf(text, sizeof(text), "%d:%02d:%02d", int(s / 3600), int(s / 60 % 60), int(s % 60));
  } else {
    std::snprintf(text, sizeof(text), "%lld d %02d:%02d", static_cast<long long>(s / 86400),
                  int(s / 3600 % 24), int(s / 60 % 60));
  }
  return text;
}

std::string StatusText(int64_t step, int64_t steps, double loss, double lr, double seconds_per_step,
                       double clips_per_step) {
  char numbers[160];
  std::snprintf(numbers, sizeof(numbers), "loss %.4f  lr %.1e  %.3g s/step  %.3g clips/s", loss, lr,
                seconds_per_step, clips_per_step / seconds_per_step);
  return StrCat("step ", step, "/", steps, "  ", numbers, "  ETA ",
                FormatDuration(double(steps - step) * seconds_per_step));
}

}  // namespace mvd
