#include "mvd/cli/flags.h"

#include <cstdio>

#include "mvd/base/thread_limits.h"
#include "mvd/cli/option_table.h"
#include "mvd/cli/terminal.h"
#include "mvd/cpu/isa.h"
#include "mvd/engine/bundled_models.h"

namespace mvd::cli {
namespace {

// Through emulation bf16 is slower than f32: only where the processor has it.
bool HasBf16(const std::string& isa) {
  const IsaLevel& level = FindIsa(isa);
  return level.name == "avx512_bf16" || level.name == "amx";
}

}  // namespace

void ExecFlags::Declare(CLI::App& app) {
  const OptionTable& table = Table();
  AddOption(app, table.executor, executor);
  AddOption(app, table.dtype, dtype);
  AddOption(app, table.isa, isa);
  AddOption(app, table.threads, threads);
  AddOption(app, table.pin, pin);
  AddOption(app, table.skip, skip);
}

NetworkOptions ExecFlags::Resolve(const CancelToken* cancel) const {
  NetworkOptions options;
  options.executor = executor;
  options.passes.skip = skip;
  options.exec.isa = isa;
  options.exec.cancel = cancel;
  options.exec.threads = {StartableThreads(threads > 0 ? threads : HardwareThreads()), pin};
  if (isa != "auto") LimitOneDnn(FindIsa(isa));
  const std::string name = dtype != "auto" ? dtype : executor == "cpu" && HasBf16(isa) ? "bf16" : "f32";
  const auto parsed = ParseDType(name);
  if (!parsed || (*parsed != DType::kF32 && *parsed != DType::kBF16)) {
    ThrowUsage("--dtype ", dtype, ": expected auto, f32 or bf16");
  }
  options.exec.dtype = *parsed;
  return options;
}

void ModelFlags::Declare(CLI::App& app) {
  const OptionTable& table = Table();
  AddOption(app, table.model, model);
  AddOption(app, table.preset, preset);
  AddOption(app, table.weight_seed, weight_seed);
  AddOption(app, table.strict, strict);
}

void TellDoubts(const Model& model, bool strict) {
  TellDoubts(model, strict, [](const std::string& doubt) { StatusLine(/*quiet=*/true).Warn(doubt); });
}

void TellDoubts(const Model& model, bool strict, const std::function<void(const std::string&)>& warn) {
  for (const std::string& doubt : model.Doubts()) {
    if (strict) ThrowBadInput("", doubt);
    warn(doubt);
  }
}

Model ModelFlags::OpenUntold(const NetworkOptions& options) const {
  if (!model.empty() && !preset.empty()) ThrowUsage("--model and --preset exclude each other");
  if (!model.empty()) return Model::Open(FindModel(model));
  if (preset.empty()) ThrowUsage("--model or --preset is needed");
  return Model::Random(FindPreset(preset), weight_seed, options.exec.dtype, options.exec.threads);
}

Model ModelFlags::Open(const NetworkOptions& options) const {
  Model opened = OpenUntold(options);
  TellDoubts(opened, strict);
  return opened;
}

ModelConfigs ModelFlags::Configs(ClipDefaults* defaults) const {
  const Model opened = strict ? Open({}) : OpenUntold({});
  if (defaults) *defaults = opened.defaults();
  return opened.configs();
}

void SizeFlags::Declare(CLI::App& app) {
  const OptionTable& table = Table();
  AddOption(app, table.height, height);
  AddOption(app, table.width, width);
  AddOption(app, table.frames, frames);
  AddOption(app, table.batch, batch);
}

CallSizes SizeFlags::Resolve(const ClipDefaults& defaults) const {
  return {batch, IsUnset(frames) ? defaults.frames : frames, IsUnset(height) ? defaults.height : height,
          IsUnset(width) ? defaults.width : width};
}

DType WeightDType(const std::string& name) {
  for (DType dtype : {DType::kF32, DType::kBF16, DType::kF16}) {
    if (Name(dtype) == name) return dtype;
  }
  ThrowUsage("--dtype ", name, ": expected f32, bf16 or f16");
}

std::string FormatSeconds(double seconds) {
  char text[32];
  if (seconds < 60)
    std::snprintf(text, sizeof(text), "%.1f s", seconds);
  else
    std::snprintf(text, sizeof(text), "%d min %02d s", int(seconds) / 60, int(seconds) % 60);
  return text;
}

std::string FormatFixed(double value, int digits) {
  char text[64];
  std::snprintf(text, sizeof(text), "%.*f", digits, value);
  return text;
}

std::string Join(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

}  // namespace mvd::cli
