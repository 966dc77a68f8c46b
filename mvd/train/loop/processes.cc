#include "mvd/train/loop/processes.h"

#include <cstdlib>

#include "mvd/base/error.h"

namespace mvd {
namespace {

const char* FirstOf(std::initializer_list<const char*> names, const char** which) {
  for (const char* name : names) {
    if (const char* value = std::getenv(name); value && *value) {
      *which = name;
      return value;
    }
  }
  return nullptr;
}

int Number(std::initializer_list<const char*> names, int otherwise, int least, int most) {
  const char* which = nullptr;
  const char* const text = FirstOf(names, &which);
  if (!text) return otherwise;
  char* end = nullptr;
  const long value = std::strtol(text, &end, 10);
  if (*end || value < least || value > most)
    ThrowUsage("environment variable ", which, ": found '", text, "', expected ", least, " to ", most);
  return int(value);
}

}  // namespace

Processes ReadProcesses() {
  Processes p;
  p.world = Number({"WORLD_SIZE"}, 0, 1, 1 << 20);
  const bool slurm = p.world == 0;
  // `srun` sets SLURM_NTASKS for each task; an `sbatch` script's own shell has it too, but no SLURM_PROCID
  // other than 0, so a single task there must not wait for others.
  if (slurm) p.world = std::getenv("SLURM_STEP_ID") ? Number({"SLURM_NTASKS"}, 1, 1, 1 << 20) : 1;
  if (p.world == 1) return p;
  p.rank = Number({slurm ? "SLURM_PROCID" : "RANK"}, -1, 0, p.world - 1);
  if (p.rank < 0) ThrowUsage("environment variable ", slurm ? "SLURM_PROCID" : "RANK", " is missing");
  p.local_rank = Number({slurm ? "SLURM_LOCALID" : "LOCAL_RANK"}, 0, 0, 1 << 16);
  const char* which = nullptr;
  const char* const address = FirstOf({"MASTER_ADDR"}, &which);
  if (!address) ThrowUsage("environment variable MASTER_ADDR is missing, expected the host of rank 0");
  p.address = address;
  p.port = Number({"MASTER_PORT"}, 29500, 1, 65535);
  return p;
}

std::string Communicator::OnRank0(const std::function<std::string()>& work) {
  constexpr char kDone = '+';  // before the text; before an error: its exit code
  if (rank() > 0) {
    const std::string told = Gather("").front();
    MVD_CHECK(!told.empty());
    if (told.front() == kDone) return told.substr(1);
    throw Error(Exit(told.front()), "", "rank 0: " + told.substr(1));
  }
  std::string text;
  try {
    text = work();
  } catch (const Error& error) {
    Gather(char(error.exit()) + std::string(error.what()));
    throw;
  } catch (const std::exception& error) {
    Gather(char(Exit::kPartial) + std::string(error.what()));
    throw;
  }
  Gather(kDone + text);
  return text;
}

}  // namespace mvd
