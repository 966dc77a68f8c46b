// doctor: what this machine offers and what the program would use of it.
#include <cstdio>

#include "mvd/cli/command.h"
#include "mvd/cli/flags.h"
#include "mvd/cli/output.h"
#include "mvd/cli/timing.h"
#include "mvd/cpu/cpu_executor.h"
#include "mvd/cpu/isa.h"
#include "mvd/media/clip.h"
#include "mvd/train/train.h"

namespace mvd::cli {
namespace {

// "scalar, avx2, avx512 (used), amx (no)".
std::string IsaText(std::string_view used) {
  std::string text;
  for (const IsaLevel& level : IsaLevels()) {
    text += (text.empty() ? "" : ", ") + std::string(level.name);
    text += !level.supported() ? " (no)" : level.name == used ? " (used)" : "";
  }
  return text.empty() ? "none: the executor cpu is not built in" : text;
}

Exit Doctor(Session& session) {
  const std::string isa = HasCpuExecutor() ? std::string(FindIsa("auto").name) : "";
  const NetworkOptions defaults = ExecFlags().Resolve(nullptr);
  nlohmann::json levels = nlohmann::json::array();
  for (const IsaLevel& level : IsaLevels())
    levels.push_back({{"name", level.name}, {"supported", level.supported()}});
  const nlohmann::json object = {{"version", MVD_VERSION},
                                 {"processor", ProcessorName()},
                                 {"threads", HardwareThreads()},
                                 {"memory_bytes", SystemMemoryBytes("MemTotal:")},
                                 {"memory_available_bytes", SystemMemoryBytes("MemAvailable:")},
                                 {"isa", isa},
                                 {"isa_levels", levels},
                                 {"dtype", Name(defaults.exec.dtype)},
                                 {"executor", defaults.executor},
                                 {"executors", ExecutorNames()},
                                 {"onednn", OneDnnVersion()},
                                 {"pictures", ImageFormatNames()},
                                 {"clip_formats", ClipFormatNames()},
                                 {"torch", CanTrain()}};
  if (session.json) {
    PrintJson(object);
    return Exit::kOk;
  }
  const auto line = [](const char* name, const std::string& text) {
    std::printf("%-10s %s\n", name, text.c_str());
  };
  line("mobilevd", MVD_VERSION);
  line("processor", StrCat(ProcessorName(), ", ", HardwareThreads(), " threads"));
  line("memory", FormatBytes(double(SystemMemoryBytes("MemTotal:"))) + ", " +
                     FormatBytes(double(SystemMemoryBytes("MemAvailable:"))) + " available");
  line("isa", IsaText(isa));
  line("dtype", StrCat(Name(defaults.exec.dtype), " by default"));
  line("executors", Join(ExecutorNames()) + "; " + defaults.executor + " by default");
  line("oneDNN", HasCpuExecutor() ? OneDnnVersion() : "not built in: configure with -DMVD_ONEDNN=ON");
  line("torch", CanTrain() ? "built in" : "not built in: configure with -DMVD_TORCH=ON");
  line("pictures", ImageFormatNames());
  line("clips", ClipFormatNames());
  if (!HasCodecs()) line("", "no others: configure with -DMVD_MEDIA=ON");
  return Exit::kOk;
}

}  // namespace

Runner DeclareDoctor(CLI::App&) {
  return [](Session& session) { return Doctor(session); };
}

}  // namespace mvd::cli
