// Flags that several commands take, declared once.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "mvd/base/process_memory.h"
#include "mvd/cli/option_spec.h"
#include "mvd/engine/model.h"
#include "mvd/engine/network.h"

namespace mvd::cli {

// Where and how graphs run.
struct ExecFlags {
  std::string executor = DefaultExecutor();
  std::string dtype = "auto";  // bf16 where the processor computes it, else f32
  std::string isa = "auto";
  int threads = 0;  // 0: all
  bool pin = false;
  std::vector<std::string> skip;

  void Declare(CLI::App& app);
  // Throws Error(kUsage) for a value that does not exist. `cancel` may be null.
  NetworkOptions Resolve(const CancelToken* cancel) const;
};

// A model from a folder, or a preset's architecture with seeded random weights.
struct ModelFlags {
  std::string model;
  std::string preset;
  uint64_t weight_seed = 0;
  bool strict = false;

  void Declare(CLI::App& app);
  Model Open(const NetworkOptions& options) const;  // needs one of the two; tells of doubts
  // Of a model whose weights are not needed, and are not looked at but with `strict`.
  ModelConfigs Configs(ClipDefaults* defaults = nullptr) const;

 private:
  Model OpenUntold(const NetworkOptions& options) const;
};

// Warns of what is doubtful about the model's weight files, with --quiet too, or throws it as
// Error(kBadInput).
void TellDoubts(const Model& model, bool strict);
void TellDoubts(const Model& model, bool strict, const std::function<void(const std::string&)>& warn);

// Sizes of the clip; those that are unset are the model's.
struct SizeFlags {
  int64_t height = kUnset<int64_t>, width = kUnset<int64_t>, frames = kUnset<int64_t>, batch = 1;

  void Declare(CLI::App& app);
  CallSizes Resolve(const ClipDefaults& defaults) const;
};

// A type that weights are written in: f32, bf16 or f16, else Error(kUsage).
DType WeightDType(const std::string& name);

std::string FormatSeconds(double seconds);
std::string FormatFixed(double value, int digits);  // "45.43"

// "a, b, c", for help texts: the names stand in one table each.
std::string Join(const std::vector<std::string>& names);

}  // namespace mvd::cli
