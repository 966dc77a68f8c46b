// Stands for the cpu executor in a build without oneDNN: says how to get one.
#include "mvd/cpu/cpu_executor.h"
#include "mvd/cpu/isa.h"

namespace mvd {
namespace {

[[noreturn]] void Refuse() {
  ThrowUsage(
      "--executor cpu: this build lacks oneDNN: install libdnnl-dev and configure with -DMVD_ONEDNN=ON");
}

}  // namespace

bool HasCpuExecutor() { return false; }
std::unique_ptr<Executor> MakeCpuExecutor(const ExecOptions&) { Refuse(); }

std::span<const IsaLevel> IsaLevels() { return {}; }
const IsaLevel& FindIsa(std::string_view) { Refuse(); }
void LimitOneDnn(const IsaLevel&) { Refuse(); }
bool OneDnnAllows(const IsaLevel&) { return false; }
std::string OneDnnVersion() { return ""; }

}  // namespace mvd
