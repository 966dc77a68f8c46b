// doctor: what this machine offers and what the program would use of it.
#include <cstdio>
#include <dnnl.hpp>
#include <fstream>
#include <iostream>

#include "mvd/cli/command.h"
#include "mvd/cli/flags.h"
#include "mvd/cpu/isa.h"
#include "mvd/media/clip.h"

namespace mvd::cli {
namespace {

std::string ProcessorName() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  }
  return "unknown";
}

Exit Doctor(Session& session) {
  const IsaLevel& best = FindIsa("auto");
  const NetworkOptions defaults = ExecFlags().Resolve(nullptr);
  const dnnl_version_t* onednn = dnnl_version();
  const std::string version = std::to_string(onednn->major) + "." + std::to_string(onednn->minor) + "." +
                              std::to_string(onednn->patch);
  nlohmann::json levels = nlohmann::json::array();
  for (const IsaLevel& level : IsaLevels())
    levels.push_back({{"name", level.name}, {"supported", level.supported()}});
  const nlohmann::json object = {{"version", MVD_VERSION},
                                 {"processor", ProcessorName()},
                                 {"threads", HardwareThreads()},
                                 {"memory_bytes", SystemMemoryBytes("MemTotal:")},
                                 {"memory_available_bytes", SystemMemoryBytes("MemAvailable:")},
                                 {"isa", best.name},
                                 {"isa_levels", levels},
                                 {"dtype", Name(defaults.exec.dtype)},
                                 {"executors", ExecutorNames()},
                                 {"onednn", version},
                                 {"clip_formats", ClipFormatNames()},
                                 {"torch", false}};
  if (session.json) {
    std::cout << object.dump() << "\n";
    return Exit::kOk;
  }
  std::printf("mobilevd   %s\nprocessor  %s, %d threads\nmemory     %s, %s available\n", MVD_VERSION,
              ProcessorName().c_str(), HardwareThreads(),
              FormatBytes(double(SystemMemoryBytes("MemTotal:"))).c_str(),
              FormatBytes(double(SystemMemoryBytes("MemAvailable:"))).c_str());
  std::printf("isa        ");
  for (const IsaLevel& level : IsaLevels()) {
    std::printf("%s%s ", std::string(level.name).c_str(),
                !level.supported()        ? " (no),"
                : level.name == best.name ? " (used),"
                                          : ",");
  }
  std::printf("\ndtype      %s by default\nexecutors  ", std::string(Name(defaults.exec.dtype)).c_str());
  for (const std::string& name : ExecutorNames()) std::printf("%s ", name.c_str());
  std::printf("\noneDNN     %s\nclips      %s\ntorch      not built in: configure with -DMVD_TORCH=ON\n",
              version.c_str(), ClipFormatNames().c_str());
  return Exit::kOk;
}

}  // namespace

Runner DeclareDoctor(CLI::App&) {
  return [](Session& session) { return Doctor(session); };
}

}  // namespace mvd::cli
