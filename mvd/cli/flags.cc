#include "mvd/cli/flags.h"

#include <cstdio>

#include "mvd/base/thread_limits.h"
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
  const char* group = "Execution";
  app.add_option("--executor", executor, "Which executor runs: " + Join(ExecutorNames()))
      ->capture_default_str()
      ->group(group);
  app.add_option("--dtype,--precision", dtype, "Weights and activations: auto, f32, bf16")
      ->capture_default_str()
      ->group(group);
  app.add_option("--isa", isa, "Highest instruction set to use; doctor lists them")
      ->capture_default_str()
      ->group(group);
  app.add_option("-t,--threads", threads, "Threads; 0 uses every processor")
      ->capture_default_str()
      ->group(group)
      ->check(CLI::Range(0, 1024));
  app.add_flag("--pin", pin, "Bind each thread to one processor")->group(group);
  app.add_option("--skip", skip, "Leave out a pass by name (repeatable); explain lists them")->group(group);
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
  const char* group = "Model";
  app.add_option("-m,--model", model,
                 "Model folder in diffusers' layout, or the name of one that comes with the program")
      ->group(group);
  app.add_option("--preset", preset,
                 "Random weights of a known architecture instead of a folder: " + Join(PresetNames()))
      ->group(group);
  app.add_option("--weight-seed", weight_seed, "Seed of a preset's random weights")
      ->capture_default_str()
      ->group(group);
}

Model ModelFlags::Open(const NetworkOptions& options) const {
  if (!model.empty() && !preset.empty()) ThrowUsage("--model and --preset exclude each other");
  if (!model.empty()) return Model::Open(FindModel(model));
  if (preset.empty()) ThrowUsage("--model or --preset is needed");
  return Model::Random(FindPreset(preset), weight_seed, options.exec.dtype, options.exec.threads);
}

ModelConfigs ModelFlags::Configs(ClipDefaults* defaults) const {
  const Model opened = Open({});
  if (defaults) *defaults = opened.defaults();
  return opened.configs();
}

void SizeFlags::Declare(CLI::App& app) {
  const char* group = "Size";
  app.add_option("--height,-H", height, "Pixels; default from the model")
      ->group(group)
      ->check(CLI::Range(8, 1 << 14));
  app.add_option("--width,-W", width, "Pixels; default from the model")
      ->group(group)
      ->check(CLI::Range(8, 1 << 14));
  app.add_option("--frames,--num-frames,--num_frames", frames, "Frames; default from the model")
      ->group(group)
      ->check(CLI::Range(1, 1024));
  app.add_option("--batch", batch, "Clips in one call")
      ->capture_default_str()
      ->group(group)
      ->check(CLI::Range(1, 64));
}

CallSizes SizeFlags::Resolve(const ClipDefaults& defaults) const {
  return {batch, frames > 0 ? frames : defaults.frames, height > 0 ? height : defaults.height,
          width > 0 ? width : defaults.width};
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

std::string ComponentNames() {
  std::vector<std::string> names;
  for (const ComponentInfo& component : Components()) names.emplace_back(component.name);
  return Join(names);
}

}  // namespace mvd::cli
