// Flags that several commands take, declared once.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

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

// "warning: ..." on stderr, with --quiet too: a result may be wrong.
void Warn(const std::string& text);
inline constexpr const char* kStrictHelp = "Fail where a weight file leaves doubts, instead of warning";
// Warns of what is doubtful about the model's weight files, or throws it as Error(kBadInput).
void TellDoubts(const Model& model, bool strict);

// Sizes of the clip; 0 means the model's default.
struct SizeFlags {
  int64_t height = 0, width = 0, frames = 0, batch = 1;

  void Declare(CLI::App& app);
  CallSizes Resolve(const ClipDefaults& defaults) const;
};

// A type that weights are written in: f32, bf16 or f16, else Error(kUsage).
DType WeightDType(const std::string& name);

std::string FormatBytes(double bytes);  // "3.05 GB"
std::string FormatSeconds(double seconds);
std::string FormatFixed(double value, int digits);  // "45.43"

// Peak resident memory of this process so far; resets only with the process.
int64_t PeakResidentBytes();
int64_t ResidentBytes();
// A line of /proc/meminfo in bytes, such as "MemAvailable:"; 0 where it is absent.
int64_t SystemMemoryBytes(const std::string& key);

// "a, b, c", for help texts: the names stand in one table each.
std::string Join(const std::vector<std::string>& names);
std::string ComponentNames();

}  // namespace mvd::cli
