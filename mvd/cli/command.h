// What a command of the program is: its flags on a CLI11 subcommand, and a function to run. main.cc lists
// them.
#pragma once

#include <atomic>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "mvd/base/cancel.h"
#include "mvd/base/error.h"
#include "mvd/cli/option_spec.h"

namespace mvd::cli {

// What every command shares. Results go to stdout, everything else to stderr.
struct Session {
  const CancelToken* cancel = nullptr;
  bool json = false;   // one object on stdout, nothing else there
  bool quiet = false;  // no progress
  // How long after Ctrl-C the work may still run; a command with a checkpoint to write raises it.
  std::atomic<int>* cancel_grace_ms = nullptr;
};

using Runner = std::function<Exit(Session&)>;

struct Command {
  const char* name;
  const char* help;
  const char* example;  // what stands behind "mobilevd NAME "
  // Declares the flags on `app` and returns what runs once they are parsed.
  Runner (*declare)(CLI::App& app);
};

Runner DeclareGenerate(CLI::App& app);
Runner DeclareInspect(CLI::App& app);
Runner DeclareExplain(CLI::App& app);
Runner DeclareCost(CLI::App& app);
Runner DeclareCheck(CLI::App& app);
Runner DeclareBench(CLI::App& app);
Runner DeclareConvert(CLI::App& app);
Runner DeclareEvaluate(CLI::App& app);
Runner DeclareRepro(CLI::App& app);
Runner DeclareInit(CLI::App& app);
Runner DeclareDoctor(CLI::App& app);
Runner DeclareTrain(CLI::App& app);
Runner DeclareData(CLI::App& app);
Runner DeclareCompress(CLI::App& app);
Runner DeclareCompletion(CLI::App& app);

// Adds the command to `parent`, with its example in the help; `chosen` becomes its runner where it is parsed.
CLI::App* AddCommand(CLI::App& parent, const Command& command, Runner& chosen);

}  // namespace mvd::cli
