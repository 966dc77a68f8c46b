#include "mvd/cli/generate_report.h"

#include <nlohmann/json.hpp>

#include "mvd/base/process_memory.h"
#include "mvd/cli/flags.h"
#include "mvd/cli/output.h"

namespace mvd::cli {
namespace {

nlohmann::json MadeJson(const Outcome& outcome) {
  const GenerateOptions& o = outcome.options;
  const Seconds& s = outcome.seconds;
  return {{"image", outcome.job.image.string()},
          {"path", outcome.job.target.string()},
          {"frames", o.num_frames},
          {"width", o.width},
          {"height", o.height},
          {"fps", o.fps},
          {"seed", o.seed},
          {"seconds",
           {{"load", s.load},
            {"encode", s.encode},
            {"denoise", s.denoise},
            {"decode", s.decode},
            {"write", s.write}}}};
}

nlohmann::json FailedJson(const Outcome& outcome) {
  nlohmann::json failed = {{"image", outcome.job.image.string()},
                           {"path", outcome.job.target.string()},
                           {"error", outcome.error},
                           {"exit", int(outcome.exit)}};
  if (!outcome.latents.empty()) failed["latents"] = outcome.latents.string();
  return failed;
}

nlohmann::json ReportJson(const GenerateReport& report) {
  nlohmann::json object = {
      {"outputs", nlohmann::json::array()},
      {"failed", nlohmann::json::array()},
      {"skipped", nlohmann::json::array()},
      {"warnings", report.warnings},
      {"memory", {{"planned_bytes", report.planned_bytes}, {"peak_bytes", PeakResidentBytes()}}}};
  for (const Outcome& outcome : report.outcomes) {
    if (outcome.exit == Exit::kOk)
      object["outputs"].push_back(MadeJson(outcome));
    else
      object["failed"].push_back(FailedJson(outcome));
  }
  for (const Job& job : report.skipped)
    object["skipped"].push_back({{"image", job.image.string()}, {"path", job.target.string()}});
  if (!report.recipe.empty()) object["recipe"] = {{"file", report.recipe}, {"overridden", report.overridden}};
  return object;
}

}  // namespace

std::string MadeLine(const Outcome& outcome) {
  const GenerateOptions& o = outcome.options;
  const Seconds& s = outcome.seconds;
  return StrCat(outcome.job.target.string(), ": ", o.num_frames, " frames of ", o.width, "x", o.height,
                ", seed ", o.seed, "; load ", FormatSeconds(s.load), ", encode ", FormatSeconds(s.encode),
                ", denoise ", FormatSeconds(s.denoise), ", decode ", FormatSeconds(s.decode), ", write ",
                FormatSeconds(s.write));
}

Exit PrintReport(const Session& session, const GenerateReport& report) {
  const Outcome* failed = nullptr;
  for (const Outcome& outcome : report.outcomes) {
    if (outcome.exit == Exit::kOk) continue;
    failed = &outcome;
    PrintError(outcome.error);
  }
  if (session.json) PrintJson(ReportJson(report));
  for (const Outcome& outcome : report.outcomes) {
    const bool is_printed = outcome.exit == Exit::kOk && !session.json && outcome.job.target != kStdout;
    if (is_printed) PrintPath(outcome.job.target.string());
  }
  if (!failed) return Exit::kOk;
  return report.outcomes.size() + report.skipped.size() == 1 ? failed->exit : Exit::kPartial;
}

}  // namespace mvd::cli
